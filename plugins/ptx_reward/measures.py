"""What is measured of scores on pairs: plain numbers in, plain numbers out."""

from __future__ import annotations

import math
from collections.abc import Sequence

BINS = 10


def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1 + math.tanh(x / 2))


def credit(chosen: float, rejected: float) -> float:
    """1 where the chosen answer has the higher score, 0.5 for a tie, else 0."""
    return 0.5 if chosen == rejected else float(chosen > rejected)


def calibration_error(margins: Sequence[float]) -> float:
    """The expected calibration error of sigmoid(margin) as the probability that the chosen answer is better.

    A pair is read in the order of its scores, so the probability is at least 1/2: sigmoid(|margin|) against
    the share of pairs in which the higher score is the chosen one's (Naeini et al. 2015), in bins of equal
    width over [1/2, 1].
    """
    bins: dict[int, list[tuple[float, float]]] = {}
    for margin in margins:
        sure = sigmoid(abs(margin))
        place = min(int((sure - 0.5) * 2 * BINS), BINS - 1)
        bins.setdefault(place, []).append((sure, credit(margin, 0.0)))
    gaps = (abs(math.fsum(p - right for p, right in found)) for found in bins.values())
    return math.fsum(gaps) / len(margins)


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """The rank correlation of two lists, ties by their mean rank; nan where one of them is constant."""
    a, b = ranks(first), ranks(second)
    mean = (len(a) - 1) / 2
    square = [math.fsum((x - mean) ** 2 for x in one) for one in (a, b)]
    if not all(square):
        return math.nan
    shared = math.fsum((x - mean) * (y - mean) for x, y in zip(a, b, strict=True))
    return max(-1.0, min(1.0, shared / math.sqrt(square[0] * square[1])))


def ranks(values: Sequence[float]) -> list[float]:
    """The ranks from 0, equal values with the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in range(start, end + 1):
            found[order[place]] = (start + end) / 2
        start = end + 1
    return found
