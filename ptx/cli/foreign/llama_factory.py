"""The YAML of LLaMA-Factory: https://llamafactory.readthedocs.io/en/latest/advanced/arguments.html"""

from __future__ import annotations

import json
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
    path_of,
    put_name,
    scheduler,
    shown,
    trackers,
)
from ptx.errors import Problem

#: a file with one of these is of this tool
MARKS = ("model_name_or_path", "stage", "finetuning_type")
METHODS = {"sft": "sft", "pt": "sft", "dpo": "dpo", "kto": "kto", "rm": "reward", "ppo": "ppo"}
LOSSES = {"orpo": "orpo", "simpo": "simpo"}
#: the columns of dataset_info.json -> the part that the column plays
COLUMNS = {
    "prompt": "prompt",
    "query": "context",
    "response": "completion",
    "history": "history",
    "messages": "messages",
    "system": "system",
    "tools": "tools",
    "chosen": "chosen",
    "rejected": "rejected",
    "kto_tag": "label",
}

#: settings of a file that trains nothing -> what does that in ptx
NO_TRAINING = {
    "export_dir": "`ptx merge` makes a whole model of an adapter, `ptx export` converts one for a runtime",
    "infer_backend": "`ptx eval model=... runtime=...` measures a model as it would be served",
    "predict_with_generate": "`ptx eval model=... 'eval=[...]'` measures a model",
}


def translate(made: Translation) -> None:
    """Read every setting of the file; what it leaves out has the tool's own defaults."""
    model = made.taken("model_name_or_path")
    if empty(model):
        made.problems.append(Problem("model_name_or_path is missing", "add it to the file"))
    stage, loss = str(made.taken("stage", default="sft")), str(made.taken("pref_loss", default="sigmoid"))
    if stage not in METHODS:
        made.problems.append(
            Problem(f"stage: {stage} is no stage that is known", f"known: {', '.join(METHODS)}")
        )
    method = LOSSES.get(loss, METHODS.get(stage, "sft")) if stage == "dpo" else METHODS.get(stage, "sft")
    made.put("method", method)
    if method == "dpo" and loss != "sigmoid":
        made.put("method.loss", loss)
    put_name(made, "model", str(model))
    _data(made)
    _adapter(made)
    if method in ("dpo", "orpo", "simpo", "kto"):
        made.put("method.beta", made.taken("pref_beta", default=0.1))
    names = "per_device_train_batch_size, gradient_accumulation_steps"
    batch(
        made,
        made.taken("per_device_train_batch_size", default=8),
        made.taken("gradient_accumulation_steps", default=1),
        names,
    )
    made.put("method.learning_rate", made.taken("learning_rate", default=5e-5))
    made.put("method.epochs", made.taken("num_train_epochs", default=3.0))
    if (length := made.taken("cutoff_len", default=2048)) and method != "ppo":
        made.put("method.max_length", length)
    scheduler(made, made.taken("lr_scheduler_type", default="linear"))
    made.put("method.warmup", made.taken("warmup_steps", "warmup_ratio", default=0.0))
    made.settings.setdefault("seed", 42)
    made.apply(SETTINGS, AUTOMATIC)


def _data(made: Translation) -> None:
    """The first dataset, by its entry in dataset_info.json where that is beside the file."""
    names = made.taken("dataset")
    found = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names or [])
    if not found:
        other = next((fix for name, fix in NO_TRAINING.items() if made.taken(name)), "")
        what = "the file describes no training" if other else "dataset is missing"
        made.problems.append(Problem(what, other or "add dataset: NAME to the file"))
        return
    folder = made.folder / str(made.taken("dataset_dir", default="data"))
    entry = _entries(folder).get(found[0], {})
    put_name(made, "data", _path(made, found[0], entry, str(folder)))
    for part, column in (entry.get("columns") or {}).items():
        if part in COLUMNS and column and COLUMNS[part] != column:
            made.put(f"data.columns.{COLUMNS[part]}", column)
    part_of(made, {name: entry.get(name) for name in ("split", "subset")})
    if rows := entry.get("num_samples"):
        made.put("data.limit", rows)
    if len(found) > 1:
        made.lost["dataset"] = f"a step is trained on one dataset; put into one file: {', '.join(found[1:])}"


def _path(made: Translation, name: str, entry: dict[str, Any], folder: str) -> str:
    if file := entry.get("file_name"):
        return path_of(
            f"{folder}/{file}" if folder.startswith(("/", ".")) else f"./{folder}/{file}", made.folder
        )
    if hub := entry.get("hf_hub_url"):
        return str(hub)
    made.changed["dataset"] = (
        f"{name}: {folder}/dataset_info.json names no file for it, so this is a guess; give data=./FILE or"
        " data=ORG/NAME"
    )
    return f"./{folder}/{name}.json".replace("././", "./")


def _entries(folder: Any) -> dict[str, Any]:
    try:
        found = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return (
        {name: one for name, one in found.items() if isinstance(one, dict)} if isinstance(found, dict) else {}
    )


def _adapter(made: Translation) -> None:
    """LoRA, its defaults, and QLoRA."""
    kind = str(made.taken("finetuning_type", default="lora"))
    rank = made.taken("lora_rank", default=8)
    settings = {
        "r": rank,
        "alpha": made.taken("lora_alpha", default=2 * rank),
        "dropout": made.taken("lora_dropout", default=0.0),
    }
    targets, bits = made.taken("lora_target", default="all"), made.taken("quantization_bit")
    if kind == "full":
        return
    if kind != "lora":
        made.lost["finetuning_type"] = f"{kind}; ptx trains all weights, or adapters"
        return
    made.put("lora", "lora")
    for name, value in settings.items():
        made.put(f"method.lora.{name}", value)
    if targets != "all":
        made.put(
            "method.lora.targets",
            [one.strip() for one in targets.split(",")] if isinstance(targets, str) else targets,
        )
    if bits == 4:
        made.put("method.lora.quantize", True)
    elif bits:
        made.lost["quantization_bit"] = (
            f"{bits}; the base is held in 4 bits (method.lora.quantize) or in its own type"
        )


def _on_prompt(made: Translation, value: Any) -> None:
    if value and made.values["method"] == "sft":
        made.put("method.assistant_only", False)


def _held_out(made: Translation, value: Any) -> None:
    if not number(value):
        return
    made.lost["val_size"] = f"{value}; `ptx data split data=... test={value} out=./split` makes the two files"


def _samples(made: Translation, value: Any) -> None:
    made.put("data.limit", value)


def _gamma(made: Translation, value: Any) -> None:
    beta = float(made.values.get("method.beta", 2.0))
    made.put("method.gamma_ratio", round(float(value) / beta, 6))
    made.changed["simpo_gamma"] = f"method.gamma_ratio is gamma / beta: {shown(value)} / {beta:g}"


SETTINGS: dict[str, Rule] = {
    **OPTIMIZER,
    "model_name_or_path": "model",
    "stage": "method",
    "finetuning_type": "lora",
    "dataset": "data",
    "cutoff_len": "method.max_length",
    "num_train_epochs": "method.epochs",
    "per_device_train_batch_size": "method.batch_size",
    "max_samples": _samples,
    "packing": "method.packing",
    "train_on_prompt": _on_prompt,
    "kto_chosen_weight": "method.desirable_weight",
    "kto_rejected_weight": "method.undesirable_weight",
    "simpo_gamma": _gamma,
    "optim": "method.args.optim",
    "val_size": _held_out,
    "report_to": trackers,
}
AUTOMATIC: dict[str, str] = {
    **UNNEEDED,
    "do_train": "",
    "do_eval": "eval=[...] measures the finished model, with intervals",
    "template": "the template of the model's folder is used; `ptx check model=... data=...` shows it",
    "overwrite_cache": "",
    "overwrite_output_dir": "",
    "preprocessing_num_workers": "",
    "dataloader_num_workers": "",
    "output_dir": "results lie in ptx-out; name=... names the run",
    "plot_loss": "`ptx report` draws the curves",
    "ddp_timeout": "",
    "per_device_eval_batch_size": "",
    "save_only_model": "",
    "run_name": "name=... names the run",
    "cache_dir": "",
    "double_quantization": "QLoRA does it",
    "quantization_method": "",
    "include_num_input_tokens_seen": "",
    "logging_dir": "",
    "use_fast_tokenizer": "",
}
