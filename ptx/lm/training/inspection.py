"""What SFT rows came to as tokens, looked at before the first step.

Most mistakes in supervised data train to the end without a word: everything cut off, an end token outside the
loss (the model never learns to stop), a beginning-of-text token that stands twice. Here they are counted and
said, or stop the run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ptx.errors import StepError
from ptx.hooks.run import Run

MASKED = -100
#: tokens after the end token that a template may add (a newline)
TRAILING = 3


@dataclass(frozen=True)
class Counts:
    """Of the rows that are left after tokenisation."""

    rows: int
    cut: int  # as long as allowed: their end is missing
    whole: int
    stopped: int  # whole ones that train an end token
    double_start: int


def count(
    examples: Iterable[dict[str, list[int]]], length: int | None, start: int | None, stops: set[int]
) -> Counts:
    """Count what matters in examples of ``input_ids`` and ``labels`` (MASKED where not trained)."""
    rows = cut = whole = stopped = double = 0
    for example in examples:
        rows += 1
        ids = example["input_ids"]
        double += start is not None and ids[:2] == [start, start]
        if length is not None and len(ids) >= length:
            cut += 1
            continue
        whole += 1
        trained = [label for label in example["labels"] if label != MASKED]
        stopped += not stops.isdisjoint(trained[-TRAILING:])
    return Counts(rows, cut, whole, stopped, double)


def check_rows(run: Run, trainer: Any, rows: list[dict[str, Any]]) -> None:
    """Say what was cut or dropped; StepError where training would be pointless or teach the wrong thing."""
    length = trainer.args.max_length
    tokenizer = trainer.processing_class
    lost = len(rows) - len(trainer.train_dataset)
    if not trainer.args.packing and 2 * lost > len(rows):
        raise StepError(
            f"{lost} of {len(rows)} rows have no token left to train on after being cut to {length} tokens:"
            " their prompts alone are as long; try a larger method.max_length, a model with a longer"
            " context, or shorter prompts"
        )
    if trainer.args.packing:
        return
    stops = stop_tokens(trainer.model, tokenizer)
    counts = count(trainer.train_dataset, length, tokenizer.bos_token_id, stops)
    if lost:
        run.say(f"{lost} of {len(rows)} rows are left out: nothing of their answer fits into {length} tokens")
    if counts.cut:
        run.say(
            f"{counts.cut} of {len(rows)} rows are cut to {length} tokens and lose their end"
            " (method.max_length)"
        )
    if counts.double_start:
        raise StepError(
            f"{counts.double_start} of {len(rows)} rows begin with {tokenizer.bos_token!r} twice: the text or"
            " the chat template has it and the tokenizer adds it again; remove it from the data, or from the"
            " template"
        )
    if counts.whole and not counts.stopped:
        raise StepError(_never_stops(tokenizer, stops, trainer.train_dataset[0]))
    if counts.stopped < counts.whole:
        run.say(
            f"{counts.whole - counts.stopped} of {len(rows)} rows do not train an end token: the model learns"
            " to go on after them"
        )


def stop_tokens(model: Any, tokenizer: Any) -> set[int]:
    """The tokens at which generation stops."""
    found = {tokenizer.eos_token_id}
    also = getattr(model.generation_config, "eos_token_id", None)
    found |= set(also if isinstance(also, list) else [also])
    return found - {None}


def _never_stops(tokenizer: Any, stops: set[int], example: dict[str, list[int]]) -> str:
    trained = [label for label in example["labels"] if label != MASKED]
    ends = ", ".join(repr(token) for token in tokenizer.convert_ids_to_tokens(sorted(stops)))
    return (
        f"no row trains the model to stop: generation ends at {ends or 'no token'}, and the trained part of"
        f" the first row ends with {tokenizer.decode(trained[-TRAILING:])!r}; put the end token inside {{%"
        " generation %} of the chat template, name the template's end token as eos_token_id in"
        " generation_config.json, or set method.assistant_only=false"
    )
