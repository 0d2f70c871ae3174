"""Scores of one answer against one reference: pure functions on text.

nan means that an answer cannot be scored, because there is no reference, or it states no answer.
"""

from __future__ import annotations

import re

from ptx.lm.evaluation.answers import concluded, marked, normal, number_in, stated
from ptx.lm.evaluation.equality import formula, same
from ptx.lm.evaluation.quantities import close, quantity
from ptx.lm.evaluation.spelling import tidy

NAN = float("nan")
#: a reference longer than this that marks no answer is a whole solution, and no reply could repeat it
LONGEST = 300


def exact(completion: str, reference: str | None, *, case: bool = False) -> float:
    """1.0 when both are the same text after normalisation, else 0.0."""
    if reference is None:
        return NAN
    return float(normal(completion, case=case) == normal(reference, case=case))


def answer(completion: str, reference: str | None, tolerance: float = 1e-6) -> float:
    """1.0 when both texts state the same answer, else 0.0.

    Without a mark the completion as a whole is its answer; if the reference is a number or a formula, also
    the completion's last number or formula. nan when the reference is empty, or long without a marked answer.
    """
    wanted = wanted_answer(reference) if reference is not None else ""
    if not wanted:
        return NAN
    given = marked(completion)
    if given is not None:
        return float(same(given, wanted, tolerance))
    if same(completion, wanted, tolerance):
        return 1.0
    if not _is_maths(wanted) or quantity(tidy(completion)):
        return 0.0
    last = concluded(completion)
    return float(last is not None and same(last, wanted, tolerance))


def wanted_answer(reference: str) -> str:
    """The answer that a reference states; empty if it states none.

    A long text without a mark states its only formula, if it has just one.
    """
    found = stated(reference)
    if marked(reference) is not None or len(found) <= LONGEST:
        return found
    last = concluded(reference)
    return last if last and "$" in reference and _is_maths(last) else ""


def _is_maths(text: str) -> bool:
    tidied = tidy(text)
    return quantity(tidied) is not None or formula(tidied)


def numeric(completion: str, reference: str | None, tolerance: float = 1e-6) -> float:
    """1.0 when both numbers are equal, else 0.0; nan when the reference has no number."""
    wanted = number_in(reference) if reference is not None else None
    if wanted is None:
        return NAN
    found = number_in(completion)
    return float(found is not None and close(found, wanted, tolerance))


def matches(completion: str, pattern: str, *, full: bool = True) -> float:
    """1.0 when the pattern matches the whole text (``full``) or a part of it, else 0.0."""
    found = re.fullmatch(pattern, completion) if full else re.search(pattern, completion)
    return float(found is not None)


def length(completion: str, words: int) -> float:
    """0.0 up to ``words`` words, then falling linearly to -1.0 at twice as many."""
    over = (len(completion.split()) - words) / words
    return -min(max(over, 0.0), 1.0)
