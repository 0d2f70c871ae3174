"""What preference rows came to as tokens: cut, dropped, or begun twice. TRL does all three without a word."""

from __future__ import annotations

from typing import Any

from ptx.errors import StepError
from ptx.run import Run


def say_cuts(run: Run, trainer: Any, given: int, sides: tuple[str, ...]) -> None:
    """Say how many rows lost their end or were left out; StepError when most were, or when prompts begin twice.

    ``trainer`` holds tokenised rows (``prompt_ids`` and the columns in ``sides``), which its collator will cut to ``max_length``.
    """
    rows, length = trainer.train_dataset, trainer.args.max_length
    lost = given - len(rows)
    if 2 * lost > given:
        raise StepError(
            f"{lost} of {given} rows have prompts of {length} tokens or more, so nothing of their answers is left; try a larger "
            "method.max_length, a model with a longer context, or shorter prompts"
        )
    if lost:
        run.say(f"{lost} of {given} rows are left out: their prompts alone have {length} tokens or more (method.max_length)")
    cut = 0
    for prompt, *answers in zip(rows["prompt_ids"], *(rows[side] for side in sides), strict=True):
        cut += len(prompt) + max(len(answer) for answer in answers) > length
    if cut:
        run.say(f"{cut} of {given} rows are cut to {length} tokens and lose the end of an answer (method.max_length)")
    check_start(trainer.processing_class, rows["prompt_ids"])


def check_start(tokenizer: Any, prompts: Any) -> None:
    """StepError when tokenised prompts begin with the beginning-of-text token twice."""
    start = tokenizer.bos_token_id
    double = sum(list(ids[:2]) == [start, start] for ids in prompts) if start is not None else 0
    if double:
        raise StepError(
            f"{double} prompts begin with {tokenizer.bos_token!r} twice: the text or the chat template has it and the tokenizer adds it "
            "again; remove it from the data, or from the template"
        )
