"""Inspect tokenised SFT rows before the first step.

Most mistakes in supervised data cause no error: all answers cut off, an end token outside the loss (the model
never learns to stop), two beginning-of-text tokens. Here such rows are counted, and either reported or
refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ptx.errors import StepError
from ptx.hooks.run import Run

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer

MASKED = -100
#: tokens after the end token that a template may add (a newline)
TRAILING = 3


@dataclass(frozen=True)
class Counts:
    """Numbers of rows after tokenisation."""

    rows: int
    cut: int  # rows of the maximal length: their end is missing
    whole: int
    stopped: int  # whole rows with an end token in the loss
    double_start: int  # rows that begin with two beginning-of-text tokens


def count(
    examples: Iterable[dict[str, list[int]]], length: int | None, start: int | None, stops: set[int]
) -> Counts:
    """Count the kinds of examples.

    Args:
        examples: ``input_ids`` and ``labels``, MASKED where a token is not trained.
        length: the maximal number of tokens.
        start: the beginning-of-text token.
        stops: the tokens that end a generation.
    """
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


def check_rows(run: Run, trainer: Trainer, rows: Sized) -> None:
    """Report rows that were cut or dropped.

    Raises:
        StepError: most rows were dropped, a row begins with two start tokens, or no row trains an end token.
    """
    length = trainer.args.max_length
    tokenizer = trainer.processing_class
    lost = len(rows) - len(trainer.train_dataset)
    if not trainer.args.packing and 2 * lost > len(rows):
        raise StepError(
            f"{lost} of {len(rows)} rows have no token left to train on after being cut to {length} tokens,"
            " because their prompts are that long; try a larger method.max_length, a model with a longer"
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
            " to continue after them"
        )


def stop_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """The ids of the tokens at which generation stops."""
    found = {tokenizer.eos_token_id}
    also = getattr(model.generation_config, "eos_token_id", None)
    found |= set(also if isinstance(also, list) else [also])
    return found - {None}


def _never_stops(tokenizer: PreTrainedTokenizerBase, stops: set[int], example: dict[str, list[int]]) -> str:
    trained = [label for label in example["labels"] if label != MASKED]
    ends = ", ".join(repr(token) for token in tokenizer.convert_ids_to_tokens(sorted(stops)))
    return (
        f"no row trains the model to stop: generation ends at {ends or 'no token'}, and the trained part of"
        f" the first row ends with {tokenizer.decode(trained[-TRAILING:])!r}; put the end token inside {{%"
        " generation %} of the chat template, name the template's end token as eos_token_id in"
        " generation_config.json, or set method.assistant_only=false"
    )
