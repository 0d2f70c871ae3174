"""``method.args``: any argument of a TRL config, checked by name and type before a weight is loaded.

TRL's configs have up to 190 fields, with union types that OmegaConf's structured configs cannot hold. Some
fields have no effect here or conflict with ptx (output folder, seeds, trackers). So ptx has its own fields
for the common settings, this free dictionary for the others, and a list of arguments that only ptx sets, each
with the ptx setting to use instead.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from importlib import import_module
from typing import Any

from ptx.errors import Problem, did_you_mean
from ptx.hooks.run import Run
from ptx.lm.load import quiet
from ptx.lm.training.distributed import assign_gpu, ranks
from ptx.lm.training.method import TrlMethod

#: TRL argument -> the ptx setting to use instead ("": there is none)
OWNED = {
    "output_dir": "out",
    "overwrite_output_dir": "",
    "seed": "seed",
    "data_seed": "seed",
    "use_cpu": "device",
    "no_cuda": "device",
    "learning_rate": "method.learning_rate",
    "num_train_epochs": "method.epochs",
    "max_steps": "method.max_steps",
    "per_device_train_batch_size": "method.micro_batch",
    "gradient_accumulation_steps": "method.batch_size",
    "auto_find_batch_size": "method.micro_batch",
    "max_length": "method.max_length",
    "warmup_steps": "method.warmup",
    "warmup_ratio": "method.warmup",
    "lr_scheduler_type": "method.scheduler",
    "weight_decay": "method.weight_decay",
    "bf16": "method.dtype",
    "fp16": "method.dtype",
    "model_init_kwargs": "method.dtype",
    "torch_compile": "method.speed.compile",
    "torch_compile_backend": "method.speed.compile",
    "torch_compile_mode": "method.speed.compile",
    "save_strategy": "method.checkpoint_every",
    "save_steps": "method.checkpoint_every",
    "save_total_limit": "",
    "save_only_model": "",
    "load_best_model_at_end": "",
    "resume_from_checkpoint": "",
    "report_to": "tracker",
    "run_name": "name",
    "project": "tracker",
    "disable_tqdm": "",
    "log_level": "",
    "logging_nan_inf_filter": "",
    "trust_remote_code": "",
    "push_to_hub": "",
    "do_train": "",
    "do_eval": "eval",
    "do_predict": "eval",
    "eval_strategy": "eval",
    "eval_on_start": "eval",
    "precompute_ref_log_probs": "",  # TRL's cache returns wrong values after some changes of settings
}


def problems(method: TrlMethod, name: str, config_name: str, owned: dict[str, str]) -> list[Problem]:
    """The problems of ``method.args`` with ``method=name``; TRL is imported only when there are arguments."""
    if not method.args:
        return []
    hints = _hints(config_name)
    found = (_problem(key, value, name, hints, {**OWNED, **owned}) for key, value in method.args.items())
    return [problem for problem in found if problem is not None]


def trl_class(name: str) -> Any:
    """A class of TRL by its name; ``gold.GOLDConfig`` is the one in ``trl.experimental.gold``.

    It calls :func:`ptx.lm.load.quiet` before TRL is imported.
    """
    quiet()
    folder, _, last = name.rpartition(".")
    return getattr(import_module(f"trl.experimental.{folder}" if folder else "trl"), last)


def _hints(config_name: str) -> dict[str, Any]:
    config = trl_class(config_name)
    hints = typing.get_type_hints(config)
    return {field.name: hints[field.name] for field in dataclasses.fields(config) if field.init}


def _problem(key: str, value: Any, name: str, hints: dict[str, Any], owned: dict[str, str]) -> Problem | None:
    if key in owned or key.startswith(("hub_", "trackio_")):
        instead = owned.get(key, "")
        return Problem(
            f"method.args.{key} is for ptx to set",
            f"use {instead}=..." if instead else "leave it out",
            fields=("method.args", *filter(None, [instead])),
        )
    if key not in hints:
        free = [known for known in hints if known not in owned]
        hint = did_you_mean(key, free) if did_you_mean(key, free).startswith("did") else ""
        fields = tuple(dict.fromkeys(filter(None, owned.values())))
        what = f"no TRL argument {key!r} for method={name}"
        return Problem(what, hint or _owned_hint(key, owned), fields=fields)
    if not fits(value, hints[key]):
        return Problem(
            f"method.args.{key} must be {wanted(hints[key])}, got {value!r} ({type(value).__name__})",
            f"type method.args.{key}=VALUE",
            fields=("method.args",),
        )
    return None


def _owned_hint(key: str, owned: dict[str, str]) -> str:
    """The hint for a misspelt argument that ptx has a field for: it names the field."""
    hint = did_you_mean(key, list(owned))
    if not hint.startswith("did"):
        return "TRL's documentation of the trainer lists its arguments"
    meant = hint.split("'")[1]
    return f"did you mean '{meant}'?" + (f" Use {owned[meant]}=... for that" if owned[meant] else "")


def fits(value: Any, hint: Any) -> bool:  # noqa: PLR0911 (one line for each kind of hint)
    """Whether a plain value from YAML has the type of a field.

    An int is also a float, a bool is not a number, and an enum accepts the text of its values.
    """
    if hint is Any:
        return True
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, option) for option in _options(hint))
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if origin is list:
        inner = typing.get_args(hint)
        return isinstance(value, list) and all(fits(item, inner[0] if inner else Any) for item in value)
    if origin is dict or hint is dict:
        return isinstance(value, dict)
    if hint is type(None):
        return value is None
    if not isinstance(hint, type):
        return True
    if issubclass(hint, enum.Enum):
        return value in [member.value for member in hint]
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def _options(hint: Any) -> list[Any]:
    """The members of a union; without ``str`` when there is an enum, whose values it stands for."""
    options = list(typing.get_args(hint))
    enums = any(isinstance(option, type) and issubclass(option, enum.Enum) for option in options)
    return [option for option in options if not (enums and option is str)]


def wanted(hint: Any) -> str:
    """A description of a type in words."""
    options = _options(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else [hint]
    words = []
    for option in options:
        if isinstance(option, type) and issubclass(option, enum.Enum):
            words.append("one of " + ", ".join(str(member.value) for member in option))
        elif option is type(None):
            words.append("null")
        else:
            words.append(
                getattr(option, "__name__", str(option)) if typing.get_origin(option) is None else str(option)
            )
    return " or ".join(words)


def trl_config(run: Run, method: TrlMethod, config_name: str, **extra: Any) -> Any:
    """The TRL config of a run: ptx's settings, those of the method (``extra``) and the user's ``args``."""
    gpu = run.device == "cuda"
    micro, passes = method.shares(ranks())
    assign_gpu(run)
    settings: dict[str, Any] = {
        "output_dir": str(run.checkpoints),
        "seed": run.seed,
        "data_seed": run.seed,
        "use_cpu": not gpu,
        "bf16": method.dtype in ("auto", "bfloat16") if gpu else bool(method.speed.bf16),
        "fp16": gpu and method.dtype == "float16",
        "learning_rate": method.learning_rate,
        "num_train_epochs": method.epochs,
        "max_steps": method.max_steps,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": passes,
        "ddp_backend": "gloo" if ranks() > 1 and not gpu else None,
        "warmup_steps": method.warmup,
        "lr_scheduler_type": method.scheduler,
        "weight_decay": method.weight_decay,
        "save_strategy": "steps" if method.checkpoint_every else "no",
        "save_steps": method.checkpoint_every or 1,
        "save_total_limit": 2,  # the last one may be incomplete when the process is killed
        "report_to": [],
        "disable_tqdm": True,
        # TRL's default replaces a loss of nan by the average of the earlier losses
        "logging_nan_inf_filter": False,
        # these do not change the result: how often numbers are logged, memory against time
        "logging_steps": 0.005,
        "gradient_checkpointing": gpu and method.speed.checkpointing != "never",
        "dataloader_pin_memory": gpu,
    }
    return trl_class(config_name)(**{**settings, **extra, **method.args})
