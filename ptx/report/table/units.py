"""Numbers as text: all values of a column have the same unit and number of decimals, for easy comparison."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal

from ptx.records import Metric

SECONDS = ("s", "sec", "second", "seconds")
BYTES = ("B", "byte", "bytes")
COUNTS = ("parameters", "params", "count", "tokens")
FRACTIONS = ("", "fraction", "accuracy", "probability", "rate", "share", "ratio", "score")
PERCENT = ("%", "percent")
SHORT = {"tokens/s": "tok/s", "tokens_per_second": "tok/s", "tokens/second": "tok/s", "tok/s": "tok/s"}
MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"
TIMES = "\N{MULTIPLICATION SIGN}"
NOTHING = "\N{EN DASH}"


@dataclass(frozen=True)
class Scale:
    """How the values of one metric are written."""

    factor: float
    suffix: str
    decimals: int

    def number(self, value: float, *, sign: bool = False) -> str:
        """The value without its unit: ``0.712``, ``1,820``, ``-∞``; "?" for NaN."""
        if math.isnan(value):
            return "?"
        if math.isinf(value):
            return "∞" if value > 0 else f"{MINUS}∞"
        text = half_up(abs(value * self.factor), self.decimals)
        zero = not text.strip("0.,")
        return (MINUS if value < 0 and not zero else "+" if sign and not zero else "") + text

    def text(self, value: float, *, sign: bool = False) -> str:
        """The value with its unit: ``12.3 ms``."""
        return self.number(value, sign=sign) + (
            f"{SPACE}{self.suffix}" if self.suffix and not math.isnan(value) else ""
        )

    def finer(self, low: float, high: float) -> Scale:
        """A scale for a difference: with more decimals where its interval would seem to have no width."""
        decimals, width = self.decimals, (high - low) * self.factor
        while 0 < width < 10.0**-decimals and decimals < self.decimals + 3:
            decimals += 1
        return replace(self, decimals=decimals)

    def interval(self, low: float, high: float, *, sign: bool = False) -> str:
        """An interval without its unit: ``[0.688, 0.735]``; too few items have none."""
        if math.isinf(low) and math.isinf(high):
            return "[no interval]"
        return f"[{self.number(low, sign=sign)}, {self.number(high, sign=sign)}]"


def half_up(value: float, decimals: int) -> str:
    """The value with so many decimals, halves away from zero: as the script of the page rounds."""
    if value >= 1e15:  # it has no decimals
        return f"{value:,.{decimals}f}"
    return f"{Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP):,f}"


def scale_of(unit: str, values: Iterable[float]) -> Scale:
    """The scale for a column of values with one unit, chosen by the median of their sizes."""
    known = sorted(abs(value) for value in values if math.isfinite(value) and value != 0)
    middle = known[len(known) // 2] if known else 1.0
    factor, suffix = _factor(unit, middle)
    if unit in FRACTIONS and (not known or known[-1] <= 1):
        return Scale(factor, suffix, 3)
    return Scale(factor, suffix, _decimals(known[0] * factor if known else 1.0, middle * factor))


def _factor(unit: str, middle: float) -> tuple[float, str]:
    if unit in SECONDS:
        return (1.0, "s") if middle >= 1 else (1e3, "ms") if middle >= 1e-3 else (1e6, "µs")
    if unit in BYTES:
        return next(
            (1 / size, name)
            for size, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))
            if middle >= size or size == 1
        )
    if unit in COUNTS:
        tail = "" if unit in ("count", "parameters", "params") else f" {unit}"
        sizes = ((1e9, "B"), (1e6, "M"), (1e3, "k"), (1.0, ""))
        return next((1 / size, (name + tail).strip()) for size, name in sizes if middle >= size or size == 1)
    if unit in PERCENT:
        return 1.0, "%"
    return 1.0, "" if unit in FRACTIONS else SHORT.get(unit, unit)


def _decimals(smallest: float, middle: float) -> int:
    """The number of decimals, at most four.

    The middle value of the column gets three significant digits, the smallest at least one.
    """
    wanted = 2 - math.floor(math.log10(middle))
    needed = -math.floor(math.log10(smallest))
    return max(0, min(4, max(wanted, needed)))


def metric_text(metric: Metric, scale: Scale) -> str:
    """A metric on one line: ``0.712 [0.688, 0.735] n=1200``."""
    if math.isnan(metric.value):
        return metric.note or f"not measured (n={metric.n})"
    return f"{scale.text(metric.value)} {interval_text(metric, scale)} n={metric.n}"


def interval_text(metric: Metric, scale: Scale) -> str:
    """The interval of a metric, or the word "exact" for a value without noise."""
    return "exact" if metric.low == metric.high else scale.interval(metric.low, metric.high)


def duration(seconds: float) -> str:
    """A duration as text: ``0.8 s``, ``42 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds < 10:
        return f"{seconds:.1f}{SPACE}s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole}{SPACE}s"
    if whole < 7200:
        return f"{whole // 60}{SPACE}min{SPACE}{whole % 60:02d}{SPACE}s"
    return f"{whole // 3600}{SPACE}h{SPACE}{whole % 3600 // 60:02d}{SPACE}min"


def ratio_text(value: float, base: float, less: str, more: str) -> str:
    """A ratio as text: ``5.8x smaller``; empty if it is 1 or cannot be computed."""
    if not (value > 0 and base > 0 and math.isfinite(value) and math.isfinite(base)):
        return ""
    ratio = base / value
    if 0.995 < ratio < 1.005:
        return ""
    factor, word = (ratio, less) if ratio > 1 else (1 / ratio, more)
    return f"{factor:.{2 if factor < 1.95 else 1}f}{TIMES} {word}"
