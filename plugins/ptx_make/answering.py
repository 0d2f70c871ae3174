"""Answers of a model to the prompts of a data set, each with its length and whether it ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ptx import LanguageModel, StepError
from ptx.lm.serving.decoding import Generated
from ptx.lm.training.rows import prompt_turns
from ptx_make import Answering

Row = dict[str, Any]


def prompt_text(lm: LanguageModel, row: Row) -> str:
    """The prompt of a row as the model reads it: through its chat template, or as it is if it has none."""
    if getattr(lm.tokenizer, "chat_template", None):
        options = row.get("chat_template_kwargs") or {}
        return str(
            lm.tokenizer.apply_chat_template(
                prompt_turns(row),
                tools=row.get("tools"),
                tokenize=False,
                add_generation_prompt=True,
                **options,
            )
        )
    if isinstance(row["prompt"], str):
        return row["prompt"]
    raise StepError("the prompts are conversations, and the model has no chat template to write them")


def answer(
    lm: LanguageModel, maker: Answering, rows: Sequence[Row], n: int, seed: int
) -> list[list[Generated]]:
    """The n answers to every row.

    The first answers of all rows come first, then the second ones: so the answers of n=2 are the first two of
    those of n=4.
    """
    prompts = [prompt_text(lm, row) for row in rows] * n
    made = lm.generate(prompts, maker.max_new_tokens, temperature=maker.temperature, seed=seed)
    known = [_known(lm, text, maker.max_new_tokens) for text in made]
    return [known[place :: len(rows)] for place in range(len(rows))]


def _known(lm: LanguageModel, text: str, most: int) -> Generated:
    """The answer of a runtime that does not say whether it ended: a shorter one than allowed did."""
    if isinstance(text, Generated):
        return text
    tokens = len(lm.tokenizer(text, add_special_tokens=False)["input_ids"])
    return Generated(text, tokens, finished=tokens < most)


def reply(row: Row, text: str) -> Any:
    """An answer in the form of its prompt: a text, or a list of turns."""
    return text if isinstance(row["prompt"], str) else [{"role": "assistant", "content": text}]


def beside(row: Row) -> Row:
    """What stays with a prompt: the reference, the tools and the options of the template."""
    return {
        name: row[name] for name in ("answer", "tools", "chat_template_kwargs") if row.get(name) is not None
    }
