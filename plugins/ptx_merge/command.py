"""The verb ``merge``."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from ptx import ConfigError, ModelRef, Problem
from ptx.cli.plugin_commands import Parser, new_folder, opened_model
from ptx.models.inspection import inspect

EXAMPLES = """examples:
  ptx train method=sft model=tiny data=./my.jsonl lora=lora method.lora.merge=false
  ptx merge ptx-out/runs/NAME/RUN/model out=./merged
  ptx merge ./adapter-of-peft out=./merged      its base: a folder, or an id of the hub, as its config says
  ptx merge ORG/ADAPTER out=./merged            an adapter on the hub"""


def main(arguments: list[str]) -> int:
    """Write the merged model; returns the exit code.

    Raises:
        ConfigError: there is no adapter, its base is missing, or the folder to write exists already.
        StepError: adapter and base do not fit, or the merged model is not the one with its adapter.
    """
    parser = Parser(
        "ptx merge",
        description="Merge an adapter into the weights of its base, compare the two, and write a whole model"
        " in the dtypes of the base.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("adapter", help="the adapter: a folder, or an id of the hub")
    parser.add_argument("out", metavar="out=FOLDER", help="the folder to write; it must not exist")
    words = parser.parse_args(arguments)
    out = new_folder(words.out)
    model = opened_model(words.adapter.removeprefix("model="))
    if model.kind != "adapter":
        raise ConfigError(
            Problem(f"{words.adapter} is a whole model, not an adapter", "there is nothing to merge")
        )
    _write(model, out)
    print(f"wrote {out}")
    return 0


def _write(model: ModelRef, out: Path) -> None:
    """Write the merged model to ``out``, whole or not at all."""
    from ptx.lm.drift import predictions, rows_of
    from ptx.lm.dtypes import keep_dtypes
    from ptx.lm.load import load_model, load_tokenizer, save_model
    from ptx.lm.merge import merged
    from ptx.lm.training.merging import distance

    tokenizer = load_tokenizer(model.path)
    rows = rows_of(tokenizer, limit=inspect(model.path).max_positions)
    # float32 holds the sum of base and adapter before it is rounded once
    adapted = load_model(model, "float32")
    before = predictions(adapted, rows)
    whole = merged(adapted)
    staged = out.with_name(f".{out.name}.part")
    shutil.rmtree(staged, ignore_errors=True)
    try:
        save_model(whole, tokenizer, staged)
        keep_dtypes(staged, model.path)
        after = predictions(load_model(staged, "float32"), rows)
        print(f"against the model with its adapter: {distance(before, after).figures}")
        staged.rename(out)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
