"""The YAML of Axolotl: https://docs.axolotl.ai/docs/config-reference.html"""

from __future__ import annotations

from typing import Any

from ptx.cli.foreign.translation import (
    OPTIMIZER,
    UNNEEDED,
    Rule,
    Translation,
    batch,
    empty,
    number,
    part_of,
    put_name,
    scheduler,
    shown,
    special_tokens,
)
from ptx.errors import Problem

#: a file with one of these is of this tool
MARKS = ("base_model", "datasets", "sequence_len")
METHODS = {"dpo": "dpo", "ipo": "dpo", "kto": "kto", "orpo": "orpo", "simpo": "simpo", "grpo": "grpo"}
#: the keys of a dataset that name columns -> the part that the column plays
COLUMNS = {
    "field_messages": "messages",
    "field": "text",
    "field_instruction": "prompt",
    "field_input": "context",
    "field_output": "completion",
    "field_system": "system",
}

#: the keys of a dataset that say what its rows look like: ptx sees it
FOUND = (
    "type",
    "ds_type",
    "chat_template",
    "message_property_mappings",
    "message_field_role",
    "message_field_content",
    "roles",
    "conversation",
)


def translate(made: Translation) -> None:
    """Read every setting of the file."""
    base = made.taken("base_model")
    if empty(base):
        made.problems.append(Problem("base_model is missing", "add base_model: ORG/NAME to the file"))
    rl = made.taken("rl")
    method = METHODS.get(str(rl), "sft") if rl else "sft"
    if rl and str(rl) not in METHODS:
        made.lost["rl"] = f"{rl}; ptx plugins method lists the methods"
    made.put("method", method)
    if rl == "ipo":
        made.put("method.loss", "ipo")
    put_name(made, "model", str(base))
    _data(made)
    _adapter(made)
    names = "micro_batch_size, gradient_accumulation_steps"
    batch(
        made,
        made.taken("micro_batch_size", default=1),
        made.taken("gradient_accumulation_steps", default=1),
        names,
    )
    made.put("method.max_length", made.taken("sequence_len", default=512))
    made.put("method.epochs", made.taken("num_epochs", default=1))
    scheduler(made, made.taken("lr_scheduler", default="cosine"))
    made.put("method.warmup", made.taken("warmup_steps", "warmup_ratio", default=0.03))
    made.settings.setdefault("seed", 42)
    made.apply(SETTINGS, AUTOMATIC)


def _data(made: Translation) -> None:
    """The first dataset; ptx trains a step on one."""
    sets = made.taken("datasets", "pretraining_dataset")
    found = [one for one in sets if isinstance(one, dict)] if isinstance(sets, list) else []
    if not found or empty(found[0].get("path")):
        made.problems.append(Problem("datasets names no path", "add datasets: [{path: ...}] to the file"))
        return
    first = dict(found[0])
    put_name(made, "data", _path(made, first))
    part_of(made, {"split": first.pop("split", None), "subset": first.pop("name", None)})
    for key, part in COLUMNS.items():
        if value := first.pop(key, None):
            made.put(f"data.columns.{part}", value)
    shape = {key: first.pop(key) for key in FOUND if not empty(first.get(key))}
    made.unneeded |= {
        f"datasets.{key}": f"{shown(value)}; the shape of rows is found, `ptx check data=...` shows it"
        for key, value in shape.items()
    }
    made.lost |= {f"datasets.{key}": shown(value) for key, value in first.items() if not empty(value)}
    if others := [str(one.get("path")) for one in found[1:]]:
        made.lost["datasets"] = f"a step is trained on one dataset; put into one file: {', '.join(others)}"


def _path(made: Translation, entry: dict[str, Any]) -> str:
    """The file or the id on the hub that an entry names."""
    path, files = str(entry.pop("path")), entry.pop("data_files", None)
    if path in ("json", "csv", "parquet", "text") and files:
        return files if isinstance(files, str) else str(files[0])
    if files:
        made.lost["datasets.data_files"] = shown(files)
    return path


def _adapter(made: Translation) -> None:
    """LoRA and QLoRA."""
    kind = made.taken("adapter")
    bits4, bits8 = made.taken("load_in_4bit"), made.taken("load_in_8bit")
    settings = {
        name: made.taken(f"lora_{name}")
        for name in ("r", "alpha", "dropout", "target_modules", "target_linear")
    }
    if not kind:
        return
    made.put("lora", "lora")
    for name in ("r", "alpha", "dropout"):
        if settings[name] is not None:
            made.put(f"method.lora.{name}", settings[name])
    targets = settings["target_modules"]
    if targets and not settings["target_linear"]:
        made.put("method.lora.targets", [targets] if isinstance(targets, str) else targets)
    if kind == "qlora" or bits4:
        made.put("method.lora.quantize", True)
    if bits8:
        made.lost["load_in_8bit"] = "the base is held in 4 bits (method.lora.quantize) or in its own type"


def _inputs(made: Translation, value: Any) -> None:
    if value and made.values["method"] == "sft":
        made.put("method.assistant_only", False)


def _beta(made: Translation, value: Any) -> None:
    made.put("method.beta", value)


def _optimizer(made: Translation, value: Any) -> None:
    made.put("method.args.optim", value)


def _held_out(made: Translation, value: Any) -> None:
    if not number(value):
        return
    made.lost["val_set_size"] = (
        f"{value}; `ptx data split data=... test={value} out=./split` makes the two files"
    )


def _wandb(made: Translation, value: Any) -> None:
    made.put("tracker", ["wandb"])
    made.put("tracker.wandb.project", value)


SETTINGS: dict[str, Rule] = {
    **OPTIMIZER,
    "base_model": "model",
    "datasets": "data",
    "sequence_len": "method.max_length",
    "micro_batch_size": "method.batch_size",
    "gradient_accumulation_steps": "method.batch_size",
    "num_epochs": "method.epochs",
    "adapter": "lora",
    "lora_r": "method.lora.r",
    "sample_packing": "method.packing",
    "train_on_inputs": _inputs,
    "rl_beta": _beta,
    "dpo_beta": _beta,
    "orpo_alpha": _beta,
    "kto_desirable_weight": "method.desirable_weight",
    "kto_undesirable_weight": "method.undesirable_weight",
    "optimizer": _optimizer,
    "val_set_size": _held_out,
    "wandb_project": _wandb,
    "special_tokens": special_tokens,
    "max_prompt_len": "method.max_prompt_length",
}
AUTOMATIC: dict[str, str] = {
    **UNNEEDED,
    "model_type": "found in the folder",
    "tokenizer_type": "found in the folder",
    "tokenizer_config": "found in the folder",
    "is_llama_derived_model": "found in the folder",
    "strict": "",
    "output_dir": "results lie in ptx-out; name=... names the run",
    "dataset_prepared_path": "steps keep what they make in the store",
    "pad_to_sequence_len": "",
    "eval_sample_packing": "",
    "saves_per_epoch": "",
    "evals_per_epoch": "eval=[...] measures the finished model, with intervals",
    "chat_template": "the template of the model's folder is used; `ptx check model=... data=...` shows it",
    "wandb_entity": "tracker.wandb.entity",
    "wandb_watch": "",
    "wandb_name": "",
    "wandb_log_model": "",
    "early_stopping_patience": "",
    "xformers_attention": "the fastest attention that is there is taken",
    "sdp_attention": "the fastest attention that is there is taken",
    "gpu_memory_limit": "",
}
