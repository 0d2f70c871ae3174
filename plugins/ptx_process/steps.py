"""The tokens of a solution, and where its steps end: the same in training, scoring and evaluation.

A step ends with the separator, a line break, whose last token is where the model judges. A line break inside
a step becomes a space, so that steps and lines are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Turns = list[dict[str, Any]]
SEPARATOR = "\n"


class Encoded(NamedTuple):
    """The tokens of a solution, and the place of the last token of each step."""

    ids: list[int]
    ends: list[int]


def lines_of(text: str) -> list[str]:
    """The steps of a reply: its lines that are not empty."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def encode(tokenizer: PreTrainedTokenizerBase, prompt: str | Turns, steps: Sequence[str]) -> Encoded:
    """The prompt in the chat template, and every step with its separator."""
    asked = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    text = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    ends = []
    for step in steps:
        line = " ".join(lines_of(step)) + SEPARATOR
        ids += tokenizer(line, add_special_tokens=False)["input_ids"]
        ends.append(len(ids) - 1)
    return Encoded(ids, ends)


def aggregate(scores: Sequence[float], how: str) -> float:
    """One number of the steps' probabilities: min, product or last."""
    if how == "min":
        return min(scores)
    if how == "last":
        return scores[-1]
    product = 1.0
    for score in scores:
        product *= score
    return product
