"""Which of two answers a judge prefers, asked in both orders. Imports no ML library.

A judge that compares is asked twice, once with either answer first; a verdict that changes with the order
depends on the position and not on the answers. A judge that only scores has the same verdict in both orders.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ptx.config import Scorer
from ptx.data.tools import Turn
from ptx.hooks.run import Run
from ptx.records import Score

TIE = 0.5
Prompts = Sequence[str | list[Turn]]


def verdicts(
    run: Run,
    judge: Scorer,
    prompts: Prompts,
    ours: Sequence[str],
    theirs: Sequence[str],
    references: Sequence[str | None],
    margin: float,
) -> list[tuple[float, float]]:
    """Per prompt the verdicts in both orders: 1 (ours is better), 0.5 (a tie), 0, or nan.

    A judge that cannot compare scores both answers, with the ``references``; scores that differ by at most
    ``margin`` are a tie.
    """
    comparing = judge.comparing()
    if comparing is not None:
        return both_orders(run, comparing, prompts, ours, theirs)
    both = [run.score(judge, prompts, list(texts), list(references)) for texts in (ours, theirs)]
    return [(said, said) for said in (by_scores(a, b, margin) for a, b in zip(*both, strict=True))]


def both_orders(
    run: Run, judge: Scorer, prompts: Prompts, ours: Sequence[str], theirs: Sequence[str]
) -> list[tuple[float, float]]:
    """Verdicts in both orders from the side of ``ours``; equal answers are a tie without asking."""
    differ = [index for index, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b]
    chosen = [prompts[index] for index in differ]
    first, second = [ours[index] for index in differ], [theirs[index] for index in differ]
    said = run.score(judge, chosen * 2, first + second, [*second, *first]) if differ else []
    found: list[tuple[float, float]] = [(TIE, TIE)] * len(prompts)
    for place, index in enumerate(differ):
        found[index] = (said[place], turned(said[place + len(differ)]))
    return found


def turned(verdict: float) -> float:
    """A verdict on (theirs, ours), seen from our side."""
    if isinstance(verdict, Score):
        return Score(1 - verdict, verdict.status, verdict.said)
    return 1 - verdict


def by_scores(ours: float, theirs: float, margin: float) -> float:
    """The verdict of a judge that scores: nan if one of the scores is missing."""
    gap = ours - theirs
    return math.nan if math.isnan(gap) else TIE if abs(gap) <= margin else float(gap > 0)
