"""The prompts that a method samples answers for, and the trial of what will score them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ptx.data import DataSet
from ptx.hooks.run import Run
from ptx.lm.training.reinforced import Reinforced
from ptx.lm.training.rows import trl_rows
from ptx.lm.training.trainer import context_of
from ptx.lm.training.tried import try_scorers
from ptx.lm.training.truncation import drop_long_prompts
from ptx.records import ModelRef

#: columns that mean something to TRL
TAKEN = ("images", "image", "environment", "input_ids", "tools", "chat_template_kwargs")

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def prompts_for(
    run: Run, method: Reinforced, model: ModelRef, data: DataSet, tokenizer: PreTrainedTokenizerBase
) -> list[dict[str, Any]]:
    """The prompts in TRL's columns that leave room for an answer; each reward was tried on them.

    Raises:
        StepError: most prompts are too long, or a reward cannot tell right answers from others.
    """
    choice = run.host.choice_of(method)
    shape = data.require(method.needs, f"{choice.group}={choice.name}")
    rows = trl_rows(shape, data.rows(shape), tokenizer)
    if method.environment is not None:
        rows = with_columns(rows, data.rows(shape))
    rows = drop_long_prompts(run, tokenizer, rows, context_of(model.path), method.max_completion_length)
    try_scorers(run, method, rows)
    return rows


def with_columns(rows: list[dict[str, Any]], given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with all other columns of the data, which an environment gets in ``reset``."""
    names = {name for row in given for name in row} - set(rows[0]) - set(TAKEN)
    return [
        {**row, **{name: source.get(name) for name in sorted(names)}}
        for row, source in zip(rows, given, strict=True)
    ]
