"""What preference rows and prompts came to as tokens: cut, dropped, or begun twice. TRL does all three
without a word.
"""

from __future__ import annotations

from typing import Any

from ptx.errors import StepError
from ptx.hooks.run import Run


def report_truncation(run: Run, trainer: Any, given: int, sides: tuple[str, ...]) -> None:
    """Say how many rows lost their end or were left out; StepError when most were, or when prompts begin
    twice.

    ``trainer`` holds tokenised rows (``prompt_ids`` and the columns in ``sides``), which its collator will
    cut to ``max_length``.
    """
    rows, length = trainer.train_dataset, trainer.args.max_length
    lost = given - len(rows)
    if 2 * lost > given:
        raise StepError(
            f"{lost} of {given} rows have prompts of {length} tokens or more, so nothing of their answers is"
            " left; try a larger method.max_length, a model with a longer context, or shorter prompts"
        )
    if lost:
        run.say(
            f"{lost} of {given} rows are left out: their prompts alone have {length} tokens or more"
            " (method.max_length)"
        )
    cut = 0
    for prompt, *answers in zip(rows["prompt_ids"], *(rows[side] for side in sides), strict=True):
        cut += len(prompt) + max(len(answer) for answer in answers) > length
    if cut:
        run.say(
            f"{cut} of {given} rows are cut to {length} tokens and lose the end of an answer"
            " (method.max_length)"
        )
    refuse_double_start(trainer.processing_class, rows["prompt_ids"])


def refuse_double_start(tokenizer: Any, prompts: Any) -> None:
    """StepError when tokenised prompts begin with the beginning-of-text token twice."""
    start = tokenizer.bos_token_id
    double = sum(list(ids[:2]) == [start, start] for ids in prompts) if start is not None else 0
    if double:
        raise StepError(
            f"{double} prompts begin with {tokenizer.bos_token!r} twice: the text or the chat template has it"
            " and the tokenizer adds it again; remove it from the data, or from the template"
        )


def drop_long_prompts(
    run: Run, tokenizer: Any, rows: list[dict[str, Any]], context: int | None, answer: int
) -> list[dict[str, Any]]:
    """The rows whose prompt leaves room for an ``answer`` of so many tokens in the model's context; TRL would
    sample past its end.
    """
    lengths = [prompt_ids(tokenizer, row["prompt"]) for row in rows]
    refuse_double_start(tokenizer, lengths)
    if context is None:
        return rows
    kept = [row for row, ids in zip(rows, lengths, strict=True) if len(ids) <= context - answer]
    lost = len(rows) - len(kept)
    if 2 * lost > len(rows):
        raise StepError(
            f"{lost} of {len(rows)} prompts leave no room for an answer of {answer} tokens in the model's"
            f" context of {context}; try a smaller method.max_completion_length or shorter prompts"
        )
    if lost:
        run.say(
            f"{lost} of {len(rows)} prompts are left out: with an answer they are longer than the model's"
            f" context of {context} tokens"
        )
    return kept


def prompt_ids(tokenizer: Any, prompt: Any) -> list[int]:
    """A prompt as the tokens that TRL will make of it."""
    if isinstance(prompt, str):
        return list(tokenizer(prompt)["input_ids"])
    return list(
        tokenizer.apply_chat_template(prompt, tokenize=True, return_dict=True, add_generation_prompt=True)[
            "input_ids"
        ]
    )
