"""A translation under way: the settings that are still to be read, the words, what was said."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptx.errors import Problem
from ptx.guard.reading import understood

#: a setting: the word that holds the same value; or a function that reads it; or why it needs no word
Rule = str | Callable[["Translation", Any], None]


@dataclass
class Translation:
    """The words of a command, and what became of each setting of the file."""

    tool: str
    settings: dict[str, Any]
    folder: Path
    values: dict[str, str] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    unneeded: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def words(self) -> list[str]:
        """What is typed behind ``ptx train``."""
        return [f"{name}={value}" for name, value in self.values.items()]

    def plain(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "tool": self.tool,
            "words": self.words,
            "changed": self.changed,
            "unneeded": self.unneeded,
            "lost": self.lost,
        }

    def put(self, word: str, value: Any) -> None:
        """Add a word."""
        self.values[word] = typed(value)

    def taken(self, *names: str, default: Any = None) -> Any:
        """The value of the first setting that is there, which is then dealt with."""
        found = [self.settings.pop(name) for name in names if name in self.settings]
        return next((value for value in found if value is not None), default)

    def apply(self, rules: Mapping[str, Rule], unneeded: Mapping[str, str]) -> None:
        """Deal with every setting that is left: by its rule, as not needed, or as without a counterpart."""
        for name in [*self.settings]:
            value = self.settings.pop(name)
            rule = rules.get(name)
            if name in unneeded:
                self.unneeded[name] = unneeded[name]
            elif empty(value):
                continue
            elif rule is None:
                self.lost[name] = shown(value)
            elif callable(rule):
                with understood(name, f"correct it, or leave it out; it is {shown(value):.40}"):
                    rule(self, value)
            else:
                self.put(rule, value)


def empty(value: Any) -> bool:
    """Whether a setting says nothing: null, false, an empty text or list."""
    return value is None or value is False or value in ("", [], {})


def typed(value: Any) -> str:
    """A value as it stands behind ``key=``."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, list):
        return f"[{','.join(typed(one) for one in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {typed(one)}' for key, one in value.items())}}}"
    return str(value)


def shown(value: Any) -> str:
    """A value for a list that is read."""
    text = typed(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def path_of(name: str, folder: Path) -> str:
    """A model or a dataset as ptx names it: ``./`` before a path that is there, an id of the hub as it is."""
    if name.startswith(("/", "./", "../", "~")):
        return name
    return f"./{name}" if Path(name).exists() or (folder / name).exists() else name


def put_name(made: Translation, group: str, name: str) -> None:
    """A model or a dataset: a path, ``ORG/NAME`` of the hub, or a name of the hub without an organisation."""
    found = path_of(name, made.folder)
    made.put(group, found if "/" in found else "hub")
    if "/" not in found:
        made.put(f"{group}.id", found)


def part_of(made: Translation, parts: Mapping[str, Any]) -> None:
    """The split and the subset of a dataset on the hub; a file has none."""
    for name, value in parts.items():
        if empty(value) or value == "train":
            continue
        if made.values["data"].startswith(("/", "./", "../", "~")):
            made.lost[f"{name} of the data"] = shown(value)
        else:
            made.put(f"data.{name}", value)


def number(value: Any) -> float | None:
    """A finite number, also where YAML read it as a text (``1e-5``)."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def batch(made: Translation, micro: Any, accumulation: Any, names: str) -> None:
    """The batch of one optimizer step, and what goes through the model at once."""
    size, times = number(micro), number(accumulation)
    if size is None or times is None or size < 1 or times < 1:
        made.problems.append(
            Problem(f"{names} must be whole numbers, got {micro!r:.40} and {accumulation!r:.40}")
        )
        return
    made.put("method.batch_size", int(size * times))
    least = 2 if made.values["method"] == "kto" else 1  # its KL term pairs neighbours
    made.put("method.micro_batch", max(least, int(size)))
    made.changed[names] = (
        f"method.batch_size={int(size * times)} counts the rows of an optimizer step over all GPUs, so"
        " multiply it by their number; method.micro_batch=auto takes as many at once as fit"
    )


def scheduler(made: Translation, name: Any) -> None:
    """The schedule of the learning rate, if it is one of those that ptx knows."""
    known = ("linear", "cosine", "constant", "constant_with_warmup", "polynomial", "inverse_sqrt")
    if name in known:
        made.put("method.scheduler", name)
    else:
        made.lost["lr_scheduler"] = f"{name}; method.scheduler knows {', '.join(known)}"


def parallel(made: Translation, value: Any) -> None:
    """FSDP or DeepSpeed: how the ranks share a model is a choice of its own."""
    made.lost["several GPUs"] = (
        f"{shown(value)}; launch=accelerate launch.config=zero3, or fsdp2, or your own file"
    )


def special_tokens(made: Translation, value: Any) -> None:
    """A padding token changes nothing; another token is part of the model's folder."""
    if set(value) <= {"pad_token"}:
        made.unneeded["special_tokens"] = "padding is never trained on"
    else:
        made.lost["special_tokens"] = f"{shown(value)}; they are set in the model's folder"


def trackers(made: Translation, names: Any) -> None:
    """Where the curves go, if a plugin writes there."""
    found = [names] if isinstance(names, str) else list(names)
    known = [name for name in found if name in ("wandb", "mlflow", "tensorboard", "trackio")]
    if known:
        made.put("tracker", known)
    if others := [str(name) for name in found if name not in known and name not in ("none", "all")]:
        made.lost["report_to"] = ", ".join(others)


#: arguments of transformers' trainer that mean the same there, there and here
OPTIMIZER: dict[str, Rule] = {
    "learning_rate": "method.learning_rate",
    "weight_decay": "method.weight_decay",
    "max_steps": lambda made, value: made.put("method.max_steps", value) if value != -1 else None,
    "max_grad_norm": "method.args.max_grad_norm",
    "adam_beta1": "method.args.adam_beta1",
    "adam_beta2": "method.args.adam_beta2",
    "adam_epsilon": "method.args.adam_epsilon",
    "neftune_noise_alpha": "method.args.neftune_noise_alpha",
    "seed": "seed",
    "deepspeed": parallel,
    "fsdp": parallel,
}
#: what every tool sets and ptx finds out, or does by itself
UNNEEDED: dict[str, str] = {
    "bf16": "a GPU that can do it computes in bfloat16; method.dtype changes that",
    "fp16": "a GPU that can do it computes in bfloat16; method.dtype changes that",
    "tf32": "",
    "gradient_checkpointing": "speed=fast leaves it out while the memory suffices; speed=exact follows TRL",
    "gradient_checkpointing_kwargs": "",
    "logging_steps": "every step is logged that is drawn",
    "save_steps": "method.checkpoint_every is for resuming; the result is always kept",
    "save_total_limit": "",
    "eval_steps": "eval=[...] measures the finished model, with intervals",
    "save_strategy": "",
    "eval_strategy": "",
    "evaluation_strategy": "",
    "flash_attention": "the fastest attention that is there is taken",
    "flash_attn": "the fastest attention that is there is taken",
    "group_by_length": "speed=fast puts rows of similar length together",
    "resume_from_checkpoint": "the same command goes on where it stopped",
    "trust_remote_code": "the code of a model folder is never executed",
    "local_rank": "",
    "debug": "",
}
