"""Scores of one answer against one reference: pure functions on text.

nan means that an answer cannot be scored, because there is no reference, or it states no answer.
"""

from __future__ import annotations

from ptx.guard import patterns
from ptx.lm.evaluation.answers import normal, number_in
from ptx.lm.evaluation.quantities import close
from ptx.lm.evaluation.stated import states

NAN = float("nan")


def exact(completion: str, reference: str | None, *, case: bool = False) -> float:
    """1.0 when both are the same text after normalisation, else 0.0."""
    if reference is None:
        return NAN
    return float(normal(completion, case=case) == normal(reference, case=case))


def answer(completion: str, reference: str | None, tolerance: float = 1e-6) -> float:
    """1.0 when both texts state the same answer, else 0.0; nan when the reference states none."""
    return NAN if reference is None else states(completion, reference, tolerance)


def numeric(completion: str, reference: str | None, tolerance: float = 1e-6) -> float:
    """1.0 when both numbers are equal, else 0.0; nan when the reference has no number."""
    wanted = number_in(reference) if reference is not None else None
    if wanted is None:
        return NAN
    found = number_in(completion)
    return float(found is not None and close(found, wanted, tolerance))


def matches(completion: str, pattern: str, *, full: bool = True) -> float:
    """1.0 when the pattern matches the whole text (``full``) or a part of it, else 0.0."""
    wanted = patterns.compile(pattern, where="scorer.regex.pattern")
    return float((wanted.fullmatch(completion) if full else wanted.search(completion)) is not None)


def length(completion: str, words: int) -> float:
    """0.0 up to ``words`` words, then falling linearly to -1.0 at twice as many."""
    over = (len(completion.split()) - words) / words
    return -min(max(over, 0.0), 1.0)
