"""Axes of the pictures: range, ticks, and the pixel of a value.

An axis is logarithmic if its values span more than a decade.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ptx.records import Metric

LOG_FROM = 10.0
#: a cost axis spans at least this share of its values, so that a few bytes do not look like a large gap
NARROWEST = 0.2


@dataclass(frozen=True)
class Axis:
    """One axis, from ``start`` to ``end`` in pixels (of y axes, start > end: pixels count downwards)."""

    low: float
    high: float
    start: float
    end: float
    log: bool
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """The pixel of a value; values beyond the axis get the pixel of its end."""
        return self.start + self.share(value) * (self.end - self.start)

    def share(self, value: float) -> float:
        """The position of a value on the axis, from 0 to 1."""
        scaled = math.log10 if self.log else float
        if self.log and value <= 0:
            return 0.0
        inside = min(max(value, self.low), self.high)
        return (scaled(inside) - scaled(self.low)) / (scaled(self.high) - scaled(self.low))


def make_axis(metrics: Sequence[Metric], start: float, end: float, *, may_log: bool, wanted: int) -> Axis:
    """An axis that contains all values and the finite ends of their intervals."""
    values = [metric.value for metric in metrics]
    log = may_log and min(values) > 0 and max(values) / min(values) > LOG_FROM
    ends = values + [
        end
        for metric in metrics
        for end in (metric.low, metric.high)
        if math.isfinite(end) and (end > 0 or not log)
    ]
    low, high = _padded(min(ends), max(ends), log, NARROWEST if may_log else 0.0)
    return Axis(
        low, high, start, end, log, tuple(log_ticks(low, high) if log else linear_ticks(low, high, wanted))
    )


def _padded(low: float, high: float, log: bool, narrowest: float) -> tuple[float, float]:
    if log:
        margin = (high / low) ** 0.07
        return low / margin, high * margin
    missing = max(0.0, narrowest * abs(high) - (high - low))
    margin = missing / 2 + (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    return low - margin, high + margin


def linear_ticks(low: float, high: float, wanted: int) -> list[float]:
    """About ``wanted`` ticks: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / max(1, wanted)
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / rough)))
    return [index * step for index in range(math.ceil(low / step), math.floor(high / step) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, with 2 and 5 times them below 2.5 decades."""
    factors = (1, 2, 5) if math.log10(high / low) < 2.5 else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [
        factor * 10.0**decade
        for decade in decades
        for factor in factors
        if low <= factor * 10.0**decade <= high
    ]
