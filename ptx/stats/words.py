"""Figures with their intervals as text, for people: neither "nan" nor "inf" is said, but what they mean."""

from __future__ import annotations

import math

from ptx.stats.intervals import Interval


def between(low: float, high: float, form: str = ".3f") -> str:
    """``[0.103, 0.655]``, or that too few items give no interval."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return "[no interval]"
    return f"[{low:{form}}, {high:{form}}]"


def agreement(name: str, found: Interval, n: int, form: str = ".3f") -> str:
    """``kappa 0.412 [0.103, 0.655]``, or why a coefficient of agreement has no value."""
    value, low, high = found
    if math.isnan(value):
        return f"no {name}: all labels are the same, so chance alone explains that they agree (n={n})"
    return f"{name} {value:{form}} {between(low, high, form)}"
