"""Check a training run before a weight is loaded; the ``ptx_validate`` of every TRL method calls this."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ptx.config import Lora, RunConfig
from ptx.data import DataSet
from ptx.data.records import more
from ptx.errors import Problem, SettingError, counted
from ptx.hooks.host import get_host
from ptx.lm.training.acting import environment_problems
from ptx.lm.training.coverage import adaptable_modules, state_space_problems
from ptx.lm.training.distributed import rank_problems
from ptx.lm.training.method import TrlMethod
from ptx.lm.training.reinforced import HERE, TRL, Reinforced
from ptx.lm.training.rows import needs_template
from ptx.lm.training.trl_args import problems as args_problems
from ptx.machine import resolve_device
from ptx.models import inspection
from ptx.plan.rendering import rendering

NO_TEMPLATE = (
    "add one: a chat_template.jinja in the model's folder (tokenizer.chat_template = ...;"
    " tokenizer.save_pretrained(FOLDER)), or take a model that was trained for chat"
)


def shape_of(method: TrlMethod, data: DataSet | None) -> str | None:
    """The shape of the data that the method uses; None if it has none (the core reports that)."""
    return next((shape for shape in method.needs if data is not None and shape in data.shapes), None)


def problems(
    config: RunConfig, name: str, config_name: str, owned: dict[str, str], model: Path, data: DataSet | None
) -> list[Problem]:
    """All problems of a run with ``method=name``.

    ``config_name`` is the method's TRL config, and ``owned`` the arguments of it that only ptx sets.
    """
    method = config.method
    found = args_problems(method, name, config_name, owned) + rank_problems(config)
    if isinstance(method, Reinforced):
        found += rollout_problems(method, config, model)
    if isinstance(method.lora, Lora):
        found += _lora_problems(method.lora, config, model)
    if inspection.problems(model):
        return found  # the core reports them
    found += environment_problems(method, model)
    facts = inspection.inspect(model)
    if facts.quantized:
        found.append(
            Problem(
                f"{model} is quantised ({facts.quantized}) and cannot be trained", "train before you quantise"
            )
        )
    length = getattr(method, "max_length", None)
    if length is not None and facts.max_positions and length > facts.max_positions:
        what = f"method.max_length={length} is more than the model's context of {facts.max_positions} tokens"
        found.append(
            Problem(what, f"try method.max_length={facts.max_positions}", fields=("method.max_length",))
        )
    longest = getattr(method, "max_completion_length", None)
    if longest is not None and facts.max_positions and longest >= facts.max_positions:
        what = (
            f"method.max_completion_length={longest} fills the model's context of {facts.max_positions}"
            " tokens and leaves no room for a prompt"
        )
        found.append(
            Problem(
                what,
                f"try method.max_completion_length={facts.max_positions // 2}",
                fields=("method.max_completion_length",),
            )
        )
    shape = shape_of(method, data)
    if (
        data is not None
        and shape is not None
        and not facts.has_chat_template
        and needs_template(shape, data.rows(shape))
    ):
        what = f"{data.name} holds conversations ({shape}), and {model} has no chat template to render them"
        found.append(Problem(what, NO_TEMPLATE))
    if data is not None and shape is not None:
        found += batch_problems(method, len(data.rows(shape)))
        found += row_problems(data, shape, model, answers_only=getattr(method, "assistant_only", True))
    return found


def batch_problems(method: TrlMethod, prompts: int) -> list[Problem]:
    """A problem if there are fewer prompts than a step samples answers for: TRL would train no step at all.

    No prompts are those of a step that has not run.
    """
    group = getattr(method, "num_generations", 0) if isinstance(method, Reinforced) else 0
    if not group or not prompts or prompts >= method.batch_size // group:
        return []
    what = (
        f"a step samples {group} answers to each of {method.batch_size // group} prompts"
        f" (method.batch_size={method.batch_size}), and the data has {counted(prompts, 'prompt')}"
    )
    fix = f"try method.batch_size={prompts * group}, or give more prompts"
    return [Problem(what, fix, fields=("method.batch_size",))]


def rollout_problems(method: Reinforced, config: RunConfig, model: Path) -> list[Problem]:
    """The problems of the runtime that samples; its own plugin knows them."""
    if method.rollout in (HERE, TRL):
        return []
    host = get_host()
    try:
        runtime = method.rollout_runtime(host)
    except SettingError as error:
        return [error.problem]
    if config.launch is not None and config.launch.ranks > 1:
        what = f"method.rollout={method.rollout} samples for one process, and launch= starts several"
        return [Problem(what, "method.rollout=hf", fields=("method.rollout",))]
    asked = replace(config, runtime=runtime, method=None)
    answers = host.each("ptx_validate", config=asked, model=model, data=None, models={})
    owner = host.owner_of(runtime).name
    return [
        Problem(f"method.rollout={method.rollout}: {one.what}", one.fix)
        for plugin, found in answers
        if plugin == owner and not isinstance(found, Exception)
        for one in found
    ]


def row_problems(data: DataSet, shape: str, model: Path, *, answers_only: bool = True) -> list[Problem]:
    """The rows that the chat template refuses or does not write in full, or that ask for what is not trained.

    ``answers_only`` means that of conversations only the replies are trained.
    """
    found = [*rendering(data, shape, model, marked=answers_only)[0]]
    if not (shape == "messages" and answers_only):
        found += left_out_problems(data, shape)
    return found + (ungiven_problems(data, shape) if shape == "prompts" else [])


def left_out_problems(data: DataSet, shape: str) -> list[Problem]:
    """A problem if replies are marked as not trained, for a training that reads no such marks."""
    records = data.located(shape)
    marked = [record for record in records if _leaves_out(shape, record.row)]
    if not marked:
        return []
    what = (
        f"{marked[0].place}: a reply is marked as not trained (weight: 0 or train: false)"
        f"{more(marked, len(records))}, and this method trains every token of it"
    )
    fix = (
        "train the replies of conversations alone (method=sft method.assistant_only=true), or"
        " data.drop=[weight] trains all"
    )
    return [Problem(what, fix)]


def ungiven_problems(data: DataSet, shape: str) -> list[Problem]:
    """Problems if rows have tools or template options, for a training that does not pass them on."""
    found = []
    for name in ("tools", "chat_template_kwargs"):
        records = [record for record in data.located(shape) if record.row.get(name)]
        if records:
            what = f"{records[0].place}: this method does not give {name} to the chat template"
            found.append(Problem(f"{what}{more(records)}", f"leave them out on purpose: data.drop=[{name}]"))
    return found


def _leaves_out(shape: str, row: dict[str, Any]) -> bool:
    """Whether a reply that would be trained is marked as not trained."""
    columns = {"messages": ["messages"], "pairs": ["chosen", "rejected"], "thumbs": ["completion"]}
    turns = [turn for name in columns.get(shape, ()) if not isinstance(row[name], str) for turn in row[name]]
    return any(turn.get("train") is False for turn in turns)


def _lora_problems(lora: Lora, config: RunConfig, model: Path) -> list[Problem]:
    found = []
    if lora.quantize and resolve_device(config.device) != "cuda":
        found.append(
            Problem(
                "method.lora.quantize=true (QLoRA) needs a GPU, and this run is on the CPU",
                "leave it out: lora=lora alone works here",
                fields=("method.lora.quantize",),
            )
        )
    elif lora.quantize and find_spec("bitsandbytes") is None:
        found.append(
            Problem(
                "method.lora.quantize=true (QLoRA) needs bitsandbytes",
                "pip install bitsandbytes",
                fields=("method.lora.quantize",),
            )
        )
    if inspection.problems(model):
        return found
    found += state_space_problems(lora.targets, model)
    if lora.targets == ["all-linear"]:
        return found
    modules = adaptable_modules(model)
    for target in lora.targets:
        if target.rpartition(".")[2] not in modules:
            found.append(
                Problem(
                    f"{model} has no module {target!r} for method.lora.targets",
                    f"it has {', '.join(modules)}, or use all-linear",
                    fields=("method.lora.targets",),
                )
            )
    return found
