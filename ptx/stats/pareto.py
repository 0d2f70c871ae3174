"""The non-dominated set over several objectives: the models that nothing measured beats on everything at
once.

a dominates b when a is at least as good on every objective and better on one. Two rules beyond the textbook:

- A missing value (None or NaN) is not a good value. A point that lacks an objective is never on the front and
  dominates nothing; a search that sorts a missing latency as zero ships the model that could not be measured.
- Values carry intervals. A point that the front beats by less than the noise is *near* the front: "dominated"
  would be a claim that the measurement does not support.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ptx.records import Better

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
    """Indices of the non-dominated points, in the given order; points that tie on everything are all kept."""
    return [index for index, standing in enumerate(standings(points, directions)) if standing == "front"]


def near(points: Sequence[Point], directions: Sequence[Better]) -> list[int]:
    """Indices of the dominated points that no point beats beyond the intervals."""
    return [index for index, standing in enumerate(standings(points, directions)) if standing == "near"]


def standings(points: Sequence[Point], directions: Sequence[Better]) -> list[Standing]:
    """Where each point stands: on the front, within noise of it, dominated, or missing an objective."""
    turned = [_oriented(point, directions) for point in points]
    whole = [point for point in turned if point is not None]
    return ["missing" if point is None else _standing(point, whole) for point in turned]


def _standing(point: list[Value], others: list[list[Value]]) -> Standing:
    better = [other for other in others if _dominates(other, point)]
    if not better:
        return "front"
    return "dominated" if any(_surely(other, point) for other in better) else "near"


def _dominates(a: list[Value], b: list[Value]) -> bool:
    pairs = list(zip(a, b, strict=True))
    return all(x.value >= y.value for x, y in pairs) and any(x.value > y.value for x, y in pairs)


def _surely(a: list[Value], b: list[Value]) -> bool:
    """Whether a, which dominates b, is better beyond both intervals on some objective."""
    return any(x.low > y.high for x, y in zip(a, b, strict=True))


def _oriented(point: Point, directions: Sequence[Better]) -> list[Value] | None:
    """The point with "higher is better" everywhere; None when an objective is missing."""
    if len(point) != len(directions):
        raise ValueError(
            f"a point has {len(point)} objectives, but {len(directions)} directions are given; give one per"
            " objective"
        )
    values = [value if isinstance(value, Value) or value is None else Value.exact(value) for value in point]
    if any(value is None or math.isnan(value.value) for value in values):
        return None
    return [
        _turned(value, better) for value, better in zip(values, directions, strict=True) if value is not None
    ]


def _turned(value: Value, better: Better) -> Value:
    return value if better == "higher" else Value(-value.value, -value.high, -value.low)
