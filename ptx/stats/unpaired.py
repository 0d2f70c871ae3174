"""Differences between two models from their two intervals alone, where no items can be paired."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ptx.records import Metric
from ptx.stats.distributions import LEVEL, t_quantile, t_tails
from ptx.stats.paired import Difference, p_value
from ptx.stats.seeds import halves

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW = 32  # pairs; so many are computed one by one


def unpaired_difference(a: Metric, b: Metric) -> Difference:
    """A - b from the two intervals alone.

    For metrics that cannot be paired by item, such as a median latency. Each side of the interval is the root
    of the sum of the squared half-widths on that side (the method of variance estimates recovery, Zou and
    Donner 2008): nothing is assumed about how the two intervals were made, so exact and one-sided ones keep
    their level. Exact values (bytes on disk) have no noise: any difference between them counts.
    """
    value = a.value - b.value
    if math.isnan(value):
        return Difference(math.nan, -math.inf, math.inf, 0, 1.0, a.better)
    (below_a, above_a), (below_b, above_b) = halves(a), halves(b)
    below, above = math.hypot(below_a, above_b), math.hypot(above_a, below_b)
    freedom = max(1.0, min(one.n for one in (a, b)) - 1.0)
    t = t_quantile((1 + LEVEL) / 2, freedom)
    p = p_value(value, (below if value > 0 else above) / t, freedom)
    # of an interval with one end, that end still bounds the difference
    error = max((side for side in (below, above) if math.isfinite(side)), default=math.inf) / t
    return Difference(value, value - below, value + above, min(a.n, b.n), p, a.better, error, freedom)


def unpaired_differences(pairs: Sequence[tuple[Metric, Metric]]) -> list[Difference]:
    """:func:`unpaired_difference` of many pairs with finite values, computed as columns."""
    if len(pairs) <= FEW:
        return [unpaired_difference(*pair) for pair in pairs]
    import numpy as np

    a, b = (np.array([(m.value, m.low, m.high) for m in side]) for side in zip(*pairs, strict=True))
    value, below, above = a[:, 0] - b[:, 0], a[:, 0] - a[:, 1], a[:, 2] - a[:, 0]
    below, above = np.hypot(below, b[:, 2] - b[:, 0]), np.hypot(above, b[:, 0] - b[:, 1])
    counts = np.array([min(one.n, other.n) for one, other in pairs])
    freedom = np.maximum(1.0, counts - 1.0)
    t = _quantiles(freedom)
    sides = np.stack((below, above))
    error = np.where(np.isfinite(sides), sides, -np.inf).max(axis=0)
    error = np.where(np.isfinite(error), error, np.inf) / t
    p = _p_values(value, np.where(value > 0, below, above) / t, freedom)
    columns = (value, value - below, value + above, counts, p, error, freedom)
    return [
        Difference(gap, low, high, n, chance, one.better, noise, free)
        for (one, _), gap, low, high, n, chance, noise, free in zip(
            pairs, *(column.tolist() for column in columns), strict=True
        )
    ]


def _quantiles(freedom: NDArray[Any]) -> NDArray[Any]:
    """Student's quantile of each degree of freedom; a sweep has few distinct ones."""
    import numpy as np

    distinct, place = np.unique(freedom, return_inverse=True)
    found: NDArray[Any] = np.array([t_quantile((1 + LEVEL) / 2, float(one)) for one in distinct])[place]
    return found


def _p_values(value: NDArray[Any], error: NDArray[Any], freedom: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error == 0, 0.0, np.abs(value) / error)
    found: NDArray[Any] = 2 * t_tails(ratio, freedom)
    return np.where(error == 0, np.where(value == 0, 1.0, 0.0), found)
