"""Build the demonstration model from scratch: corpus, tokenizer, pretraining, scores, model card.

One seed decides every random choice. On one machine with the same libraries and number of threads the weights
are always the same. Other processors add floats in another order, so the weights differ, while the scores
agree within noise. The figures of the committed build are in `model/build.json`.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx_tiny.card import card
from ptx_tiny.corpus import documents
from ptx_tiny.evaluate import scores
from ptx_tiny.pretrain import has_bf16, new_model, pretrain
from ptx_tiny.tokenizer import CONTEXT, train_tokenizer

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

STEPS = 900
TOKENIZER_DOCUMENTS = 30_000
LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors")


def build(out: Path, seed: int = 0, steps: int = STEPS, threads: int = 2) -> dict[str, Any]:
    """Build the model, write its folder to `out` and return the figures of build.json.

    An existing folder is replaced only when the new one is complete.
    """
    import torch

    torch.set_num_threads(threads)
    begun = time.monotonic()
    tokenizer = train_tokenizer(
        f"{d.prompt} {d.reply}" for d in documents(seed + 10_000, TOKENIZER_DOCUMENTS)
    )
    special = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    model = new_model(len(tokenizer), CONTEXT, seed, special)
    trained = pretrain(model, tokenizer, seed, steps)
    figures = {
        "purpose": "demonstration and test model",
        "seed": seed,
        "steps": steps,
        "corpus_tokens": int(trained["tokens"]),
        "loss": round(trained["loss"], 4),
        "training_seconds": round(trained["seconds"], 1),
        "seconds": round(time.monotonic() - begun, 1),
        "threads": threads,
        "bf16_autocast": has_bf16(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
        "parameters": model.num_parameters(),
        "scores": scores(model, tokenizer),
    }
    save(out, model, tokenizer, figures)
    return figures


def save(
    out: Path, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, figures: dict[str, Any]
) -> None:
    """Write the folder beside `out` and then swap it in, so that readers never see an incomplete model."""
    staging = out.with_name(f".{out.name}.{os.getpid()}")
    staging.mkdir(parents=True)
    model.generation_config.update(
        max_new_tokens=None,
        do_sample=False,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(staging)
    tokenizer.save_pretrained(staging)
    name_tokenizer(staging / "tokenizer_config.json")
    (staging / "build.json").write_text(
        json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    (staging / "README.md").write_text(card(figures), encoding="utf-8")
    for path in staging.iterdir():
        # safetensors files are readable by the owner alone, but an installed package is read by all users
        path.chmod(0o644)
    swap(staging, out)


def name_tokenizer(path: Path) -> None:
    """Write the name of the tokenizer class that every runtime knows.

    transformers 5 writes a new name that only it can read.
    """
    config = json.loads(path.read_text(encoding="utf-8"))
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def swap(staging: Path, out: Path) -> None:
    """Replace the old folder by the staged one.

    This takes two renames; only between them no folder exists.
    """
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    if out.exists():
        out.rename(old)
    staging.rename(out)
    shutil.rmtree(old, ignore_errors=True)
