"""The offline judge: checks of an answer that need no model. Pure functions on text."""

from __future__ import annotations

import re
import unicodedata

from ptx.lm.evaluation.answers import marked
from ptx.lm.evaluation.stated import is_maths, states, wanted_answer
from ptx_judge.config import Rule

WORD = re.compile(r"(?:(?<![\w)}\]])-(?=\d))?\w+(?:[.,:/-]\w+)*")
WORDS_ALONE = re.compile(r"[\w\s.,:;!?-]*")  # a number or words, with nothing of a formula
FORM = 0.1  # weight of the form beside the answer's 1
LOOP = 0.5  # a text repeats itself if its share of distinct three-word runs is below this


def scores(scorer: Rule, completions: list[str], references: list[str | None]) -> list[float]:
    """:func:`score` of every completion."""
    return [score(text, answer, scorer.words) for text, answer in zip(completions, references, strict=True)]


def score(completion: str, reference: str | None, most: int) -> float:
    """1 for holding the reference (0 without one) plus up to :data:`FORM` for the form."""
    return (float(holds(completion, reference, most)) if reference is not None else 0.0) + FORM * form(
        completion, most
    )


def holds(completion: str, reference: str, most: int) -> bool:
    """Whether the completion holds the reference's words side by side and in order.

    It may have at most ``most`` words around them. If the reference is a formula or marks its answer
    (``####``, a box), the completion must state the same answer.
    """
    answer = wanted_answer(reference)
    if answer and (marked(reference) is not None or (is_maths(answer) and not WORDS_ALONE.fullmatch(answer))):
        return len(words(completion)) - len(words(answer)) <= most and states(completion, reference) == 1.0
    said, wanted = words(completion), words(reference)
    if not wanted or len(said) - len(wanted) > most:
        return False
    return any(said[start : start + len(wanted)] == wanted for start in range(len(said) - len(wanted) + 1))


def form(completion: str, most: int) -> float:
    """The share of three rules that are kept: not empty, not repeating itself, not too long.

    An empty text keeps none.
    """
    said = words(completion)
    if not said:
        return 0.0
    return (1 + (variety(said) >= LOOP) + (len(said) <= most)) / 3


def variety(said: list[str]) -> float:
    """The share of distinct three-word runs among all."""
    runs = [tuple(said[start : start + 3]) for start in range(len(said) - 2)]
    return len(set(runs)) / len(runs) if runs else 1.0


def words(text: str) -> list[str]:
    """Words and numbers in lower case, without the punctuation around them."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())
