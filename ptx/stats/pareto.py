"""The Pareto front: the non-dominated models over several objectives.

a dominates b when a is at least as good on every objective and better on one. Two rules are added to the
textbook definition:

- A missing value (None or NaN) is not a good value. A point that lacks an objective is never on the front and
  dominates nothing. A search that sorts a missing latency as zero would ship the model that could not be
  measured.
- Values carry intervals. A point that the front beats by less than the noise is *near* the front: the
  measurement does not support the claim "dominated". The noise is that of the difference, corrected for the
  number of pairs of points and of objectives with noise (Bonferroni): of twelve equal models, the best and
  the worst value are far apart by chance alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ptx.records import Better
from ptx.stats.distributions import LEVEL, normal_quantile

Standing = Literal["front", "near", "dominated", "missing"]


@dataclass(frozen=True)
class Value:
    """A measured objective with its interval."""

    value: float
    low: float
    high: float

    @classmethod
    def exact(cls, value: float) -> Value:
        """A value without noise, such as bytes on disk."""
        return cls(value, value, value)


Point = Sequence[Value | float | None]


def front(points: Sequence[Point], directions: Sequence[Better]) -> list[int]:
    """Indices of the non-dominated points, in the given order; points with equal values are all kept."""
    return [index for index, standing in enumerate(standings(points, directions)) if standing == "front"]


def near(points: Sequence[Point], directions: Sequence[Better]) -> list[int]:
    """Indices of the dominated points that no point beats by more than the noise."""
    return [index for index, standing in enumerate(standings(points, directions)) if standing == "near"]


def standings(points: Sequence[Point], directions: Sequence[Better]) -> list[Standing]:
    """The standing of each point: on the front, near it (within noise), dominated, or missing a value."""
    oriented = [_oriented(point, directions) for point in points]
    whole = [point for point in oriented if point is not None]
    noisy = sum(any(value.low < value.high for value in column) for column in zip(*whole, strict=True))
    tests = max(1, noisy * len(whole) * (len(whole) - 1) // 2)
    return ["missing" if point is None else _standing(point, whole, tests) for point in oriented]


def _standing(point: list[Value], others: list[list[Value]], tests: int) -> Standing:
    better = [other for other in others if _dominates(other, point)]
    if not better:
        return "front"
    return "dominated" if any(_beyond_noise(other, point, tests) for other in better) else "near"


def _dominates(a: list[Value], b: list[Value]) -> bool:
    pairs = list(zip(a, b, strict=True))
    return all(x.value >= y.value for x, y in pairs) and any(x.value > y.value for x, y in pairs)


def _beyond_noise(a: list[Value], b: list[Value], tests: int) -> bool:
    """Whether a is better than b on some objective by more than the noise of ``tests`` comparisons.

    The half-width of the difference is Zou and Donner's (2008), stretched from 95 % to the corrected level.
    """
    stretch = normal_quantile(1 - (1 - LEVEL) / (2 * tests)) / normal_quantile((1 + LEVEL) / 2)
    return any(
        x.value - y.value > stretch * math.hypot(x.value - x.low, y.high - y.value)
        for x, y in zip(a, b, strict=True)
    )


def _oriented(point: Point, directions: Sequence[Better]) -> list[Value] | None:
    """The point with all objectives turned to "higher is better"; None when a value is missing."""
    if len(point) != len(directions):
        raise ValueError(
            f"a point has {len(point)} objectives, but {len(directions)} directions are given; give one per"
            " objective"
        )
    values = [value if isinstance(value, Value) or value is None else Value.exact(value) for value in point]
    if any(value is None or math.isnan(value.value) for value in values):
        return None
    return [
        _negated_if_lower(value, better)
        for value, better in zip(values, directions, strict=True)
        if value is not None
    ]


def _negated_if_lower(value: Value, better: Better) -> Value:
    return value if better == "higher" else Value(-value.value, -value.high, -value.low)
