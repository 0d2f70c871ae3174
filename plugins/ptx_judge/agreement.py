"""Agreement between people, and of a judge with people: coefficients of :mod:`ptx.stats` over verdicts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from ptx import stats
from ptx_judge.verdicts import Pair, Stored


@dataclass(frozen=True)
class Agreement:
    """One line of the table; ``share`` is raw agreement, nan for coefficients of more than two raters."""

    who: str
    coefficient: str
    value: float
    low: float
    high: float
    share: float
    n: int


def two(who: str, a: Sequence[str], b: Sequence[str]) -> Agreement:
    """Cohen's kappa of two raters over the same pairs."""
    value, low, high = stats.cohen_kappa(list(a), list(b))
    return Agreement(
        who, "Cohen's kappa", value, low, high, fmean(x == y for x, y in zip(a, b, strict=True)), len(a)
    )


def of_people(persons: Sequence[str], pairs: Sequence[Pair]) -> list[Agreement]:
    """Agreement of every two people, and of all of them together."""
    columns = list(zip(*(pair.labels for pair in pairs), strict=True))
    found = [
        two(f"{persons[i]} and {persons[j]}", columns[i], columns[j])
        for i, j in itertools.combinations(range(len(persons)), 2)
    ]
    if len(persons) > 1:
        ratings = [list(pair.labels) for pair in pairs]
        nan = float("nan")
        everyone = f"all {len(persons)}"
        found.append(Agreement(everyone, "Fleiss' kappa", *stats.fleiss_kappa(ratings), nan, len(pairs)))
        found.append(
            Agreement(everyone, "Krippendorff's alpha", *stats.krippendorff_alpha(ratings), nan, len(pairs))
        )
    return found


def of_judge(judge: Stored, persons: Sequence[str], pairs: Sequence[Pair]) -> list[Agreement]:
    """Agreement of a judge with each person, and with their majority."""
    judged = [pair for pair in pairs if pair.idx in judge.labels]
    said = [judge.labels[pair.idx] for pair in judged]
    found = [
        two(f"{judge.name} and {person}", said, [pair.labels[place] for pair in judged])
        for place, person in enumerate(persons)
    ]
    return [*found, with_majority(judge, pairs)]


def with_majority(judge: Stored, pairs: Sequence[Pair]) -> Agreement:
    """Agreement of a judge with the majority, over the pairs that have both verdicts."""
    both = [
        (judge.labels[pair.idx], pair.majority)
        for pair in pairs
        if pair.idx in judge.labels and pair.majority is not None
    ]
    return two(
        f"{judge.name} and the majority", [said for said, _ in both], [str(wanted) for _, wanted in both]
    )
