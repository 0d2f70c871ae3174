"""How many items would decide on which side of a bound a metric lies, if its value stays what it is.

An interval that contains the bound is too wide. A half-width falls with the root of the number of items, so
n · (half-width / distance)² items would do. Near 0 and 1, and for the tail of a distribution, that rule is
far off, and the interval itself is asked (0 of 200 against a bound of 0.005: 736 items, the rule says
2,600).
"""

from __future__ import annotations

import math

from ptx.stats.counted import clopper_pearson
from ptx.stats.distributions import LEVEL
from ptx.stats.skewness import FEWEST

MOST = 10**7  # more items than anybody would measure


def deciding_n(
    interval: tuple[float, float, float], n: int, bound: float, *, share: bool = False, quantile: float = 0.0
) -> int | None:
    """The number of items; None if no number would do, or more than :data:`MOST`.

    Args:
        interval: (value, low, high) as measured.
        n: the number of items behind it.
        bound: the value that the interval must not contain.
        share: whether the value is a share of items (right or wrong).
        quantile: the quantile that the value is (0.95 of a p95); 0: it is a mean.
    """
    value, low, high = interval
    half, distance = (high - value, bound - value) if value < bound else (value - low, value - bound)
    if not math.isfinite(value) or n < 1 or distance <= 0:
        return None
    if math.isinf(half):
        least = _items_of_quantile(quantile, above=value < bound) if quantile else FEWEST
        return least if least > n else None
    found = float(n) * (half / distance) ** 2
    if share and low >= 0 and high <= 1 and half > 0:
        found = _items_of_share(value, bound, design=max(1.0, (half / _half(value, n, bound)) ** 2))
    return None if found > MOST else max(n + 1, FEWEST, _rounded(found))


def _items_of_quantile(quantile: float, *, above: bool) -> int:
    """The least number of values whose largest (smallest) one bounds the quantile at 95 %."""
    inside = quantile if above else 1 - quantile
    return math.ceil(math.log((1 - LEVEL) / 2) / math.log(inside))


def _half(share: float, n: float, bound: float) -> float:
    low, high = clopper_pearson(share * n, n)
    return high - share if share < bound else share - low


def _items_of_share(share: float, bound: float, design: float) -> float:
    """The number of items, by bisection on the exact interval; ``design`` multiplies it."""
    low, high = 1, 2
    while _half(share, high, bound) > abs(bound - share) and high < MOST:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _half(share, middle, bound) > abs(bound - share) else (low, middle)
    return high * design


def _rounded(count: float) -> int:
    """Up to two significant digits: the value will not stay exactly what it is."""
    step: int = 10 ** max(0, math.floor(math.log10(max(count, 1))) - 1)
    return math.ceil(count / step - 1e-9) * step
