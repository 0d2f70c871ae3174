"""Report prompts and preference rows that TRL cuts, drops, or starts with two start tokens, all silently."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ptx.errors import StepError
from ptx.hooks.run import Run

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, Trainer


def report_truncation(run: Run, trainer: Trainer, given: int, sides: tuple[str, ...]) -> None:
    """Report how many of the ``given`` rows were dropped, and how many will lose the end of an answer.

    ``trainer`` holds the tokenised rows (``prompt_ids`` and the columns in ``sides``); its collator cuts them
    to ``max_length``.

    Raises:
        StepError: most rows were dropped, or prompts begin with two beginning-of-text tokens.
    """
    rows, length = trainer.train_dataset, trainer.args.max_length
    lost = given - len(rows)
    if 2 * lost > given:
        raise StepError(
            f"{lost} of {given} rows have prompts of {length} tokens or more, so nothing is left of their"
            " answers; try a larger method.max_length, a model with a longer context, or shorter prompts"
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


def report_left_out(run: Run, given: int, kept: int, length: int, why: str = "") -> None:
    """Report how many of the ``given`` pairs were dropped because they have more than ``length`` tokens.

    Raises:
        StepError: most pairs were dropped.
    """
    lost = f"{given - kept} of {given} pairs"
    if 2 * kept < given:
        raise StepError(
            f"{lost} have more than {length} tokens; try a larger method.max_length, a model with a longer"
            " context, or shorter pairs"
        )
    if kept < given:
        run.say(f"{lost} are left out: they have more than {length} tokens{why} (method.max_length)")


def refuse_double_start(tokenizer: PreTrainedTokenizerBase, prompts: Iterable[Sequence[int]]) -> None:
    """Raise StepError when tokenised prompts begin with two beginning-of-text tokens."""
    start = tokenizer.bos_token_id
    double = sum(list(ids[:2]) == [start, start] for ids in prompts) if start is not None else 0
    if double:
        raise StepError(
            f"{double} prompts begin with {tokenizer.bos_token!r} twice: the text or the chat template has it"
            " and the tokenizer adds it again; remove it from the data, or from the template"
        )


def drop_long_prompts(
    run: Run,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[dict[str, Any]],
    context: int | None,
    answer: int,
) -> list[dict[str, Any]]:
    """The rows whose prompt leaves room for ``answer`` tokens in the model's ``context``.

    TRL would generate beyond the end of the context.

    Raises:
        StepError: most rows have no room, or prompts begin with two beginning-of-text tokens.
    """
    prompts = [prompt_ids(tokenizer, row["prompt"]) for row in rows]
    refuse_double_start(tokenizer, prompts)
    if context is None:
        return rows
    kept = [row for row, ids in zip(rows, prompts, strict=True) if len(ids) <= context - answer]
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


def prompt_ids(tokenizer: PreTrainedTokenizerBase, prompt: str | list[dict[str, Any]]) -> list[int]:
    """The token ids that TRL will make from a prompt, a text or turns."""
    if isinstance(prompt, str):
        return list(tokenizer(prompt)["input_ids"])
    return list(
        tokenizer.apply_chat_template(prompt, tokenize=True, return_dict=True, add_generation_prompt=True)[
            "input_ids"
        ]
    )
