"""Whether a completion states a reference's answer: what rewards and judges ask. Imports no ML library.

nan means that nothing can be said, because the reference states no answer.
"""

from __future__ import annotations

import math

from ptx.lm.evaluation.answers import MATHS, concluded, final, marked, stated
from ptx.lm.evaluation.equality import VARIABLE, formula, same
from ptx.lm.evaluation.quantities import quantity
from ptx.lm.evaluation.spelling import tidy

#: a reference longer than this that marks no answer is a whole solution, and no reply could repeat it
LONGEST = 300


def states(completion: str, reference: str, tolerance: float = 1e-6) -> float:
    """1.0 when the completion states the answer of the reference, else 0.0.

    Without a mark the completion as a whole is its answer; if the reference is a number or a formula, also
    the completion's last number or formula. nan when the reference is empty, or long without a marked answer.
    """
    wanted = wanted_answer(reference)
    if not wanted:
        return math.nan
    completion = final(completion)
    given = marked(completion)
    if given is not None:
        return float(same(given, wanted, tolerance))
    if same(completion, wanted, tolerance):
        return 1.0
    whole = tidy(completion)
    if not is_maths(wanted) or quantity(whole) or _is_expression(whole):
        return 0.0
    last = concluded(completion)
    return float(last is not None and same(last, wanted, tolerance))


def _is_expression(text: str) -> bool:
    """Whether a reply is nothing but an expression with a variable: no number of it is the answer."""
    return formula(text) and "=" not in text and bool(VARIABLE.search(text))


def wanted_answer(reference: str) -> str:
    """The answer that a reference states; empty if it states none.

    A long text without a mark states its only formula, if it has just one.
    """
    found = stated(reference)
    if marked(reference) is not None or len(found) <= LONGEST:
        return found
    formulas = {next(filter(None, match.groups())).strip() for match in MATHS.finditer(reference)}
    return formulas.pop() if len(formulas) == 1 else ""


def is_maths(answer: str) -> bool:
    """Whether an answer is a number or a formula."""
    tidied = tidy(answer)
    return quantity(tidied) is not None or formula(tidied)
