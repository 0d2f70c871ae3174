"""Intervals of one model's numbers: rates, means, quantiles, bootstrap, and bounds for unscored items."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Hashable, Sequence
from statistics import NormalDist, fmean
from typing import TypeVar

from ptx.stats.counted import Span, clopper_pearson, counted_interval, is_counted
from ptx.stats.distributions import LEVEL, log_binomial, t_quantile
from ptx.stats.skewness import mean_error

T = TypeVar("T")
Interval = tuple[float, float, float]  # value, low, high


def proportion(successes: float, n: int, level: float = LEVEL) -> tuple[float, float]:
    """(low, high): Clopper and Pearson's exact interval for ``successes`` out of ``n``; always in [0, 1].

    It covers the truth in at least 95 % of samples for every rate and every n. The textbook interval
    p ± z·sqrt(p(1-p)/n) has width zero at 0 and 1, which benchmarks do reach; Wilson's covers a rate of 0.97
    in 85 % of samples of five. ``successes`` may be fractional (an item's mean over repeats).
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"proportion needs 0 <= successes <= n and n >= 1, got {successes} of {n}")
    return clopper_pearson(successes, n, level)


def mean_interval(
    values: Sequence[float],
    level: float = LEVEL,
    *,
    clusters: Sequence[Hashable] | None = None,
    weights: Sequence[float] | None = None,
) -> Interval:
    """(mean, low, high) by Student's t, stretched for few and skewed values (:mod:`ptx.stats.skewness`).

    ``clusters`` names the cluster of each value; the standard error is then the clustered one. ``weights``
    give a weighted mean (a ratio of sums), such as bits per byte over texts of different lengths. Fewer than
    six values (or clusters), and fewer than thirty that are all equal, say too little about the spread: the
    interval is infinite.
    """
    if not values:
        raise ValueError("mean_interval needs at least one value, got none")
    mean = fmean(values, weights)
    found = mean_error(values, clusters, weights, level)
    if math.isinf(found.variance):
        return mean, -math.inf, math.inf
    half = t_quantile((1 + level) / 2, found.freedom) * math.sqrt(found.variance)
    return mean, mean - found.below * half, mean + found.above * half


def score_interval(
    values: Sequence[float],
    level: float = LEVEL,
    *,
    clusters: Sequence[Hashable] | None = None,
    weights: Sequence[float] | None = None,
    span: Span | None = None,
) -> Interval:
    """(mean, low, high) of item scores; ``span`` is the least and the greatest score that an item can have.

    Scores of 0 and 1, and scores of which many are the same and whose span is known, are counted
    (:mod:`ptx.stats.counted`); others are measured (:func:`mean_interval`) and cut to their span.
    """
    if not values:
        raise ValueError("score_interval needs at least one value, got none")
    if weights is None and is_counted(values, span):
        low, high = counted_interval(values, level, clusters=clusters, span=span or (0.0, 1.0))
        return fmean(values), low, high
    mean, low, high = mean_interval(values, level, clusters=clusters, weights=weights)
    least, most = span or (-math.inf, math.inf)
    return mean, min(mean, max(least, low)), max(mean, min(most, high))


def quantile_interval(values: Sequence[float], q: float, level: float = LEVEL) -> Interval:
    """(value, low, high) of the ``q`` quantile without assuming a distribution.

    The number of values below the true quantile is binomial(n, q). So the probability that a pair of order
    statistics covers the quantile is known; each tail holds at most (1 - level) / 2. A bound is infinite, not
    too narrow, when no order statistic is extreme enough: the p95 of fewer than 72 requests has no upper
    bound at 95 %. ``value`` is interpolated as numpy does by default.
    """
    if not values or not 0 < q < 1:
        raise ValueError(f"quantile_interval needs values and 0 < q < 1, got {len(values)} values and q={q}")
    ordered, tail = sorted(values), (1 - level) / 2
    position = (len(ordered) - 1) * q
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    value = ordered[below] + (position - below) * (ordered[above] - ordered[below])
    low, high = _ranks(len(ordered), q, tail)
    lower = ordered[low - 1] if low >= 1 else -math.inf
    upper = ordered[high - 1] if high <= len(ordered) else math.inf
    return value, min(lower, value), max(upper, value)


def _ranks(n: int, q: float, tail: float) -> tuple[int, int]:
    """Ranks (from 1) of the order statistics that bound the quantile; 0 and n + 1 mean no bound."""
    cumulative, low, high = 0.0, 0, n + 1
    for count in range(n + 1):
        cumulative += math.exp(log_binomial(count, n, q))
        if cumulative <= tail:
            low = count + 1  # P(fewer than low values below the quantile) is at most the tail
        if cumulative >= 1 - tail and high > n:
            high = count + 1
    return low, high


def bootstrap(
    items: Sequence[T],
    statistic: Callable[[Sequence[T]], float],
    seed: int,
    repeats: int = 1000,
    level: float = LEVEL,
    *,
    clusters: Sequence[Hashable] | None = None,
) -> Interval:
    """(value, low, high) of any statistic, by resampling ``items`` with replacement.

    Resample the units that were sampled: prompts, not the games or tokens of a prompt. ``clusters`` names the
    group of each item; groups are then resampled whole. Percentile intervals of small samples are too narrow.
    So the percentiles lie further out than the level says (Hesterberg 2015, section 4.1.3): for a mean this
    gives the width of Student's t instead of sqrt((n-1)/n) of the normal's. Resamples on which the statistic
    is NaN are left out.
    """
    if not items or repeats < 1:
        raise ValueError(
            f"bootstrap needs items and repeats >= 1, got {len(items)} items and repeats={repeats}"
        )
    groups = _grouped(items, clusters)
    generator = random.Random(seed)  # noqa: S311 (statistics, not secrets)
    value = statistic(items)
    resamples = (generator.choices(groups, k=len(groups)) for _ in range(repeats))
    drawn = sorted(
        found
        for one in resamples
        if not math.isnan(found := statistic([item for group in one for item in group]))
    )
    if not drawn or len(groups) == 1:
        return value, -math.inf, math.inf
    n = len(groups)
    tail = NormalDist().cdf(-math.sqrt(n / (n - 1)) * t_quantile((1 + level) / 2, n - 1))
    low, high = drawn[math.floor(tail * (len(drawn) - 1))], drawn[math.ceil((1 - tail) * (len(drawn) - 1))]
    return value, min(low, value), max(high, value)


def _grouped(items: Sequence[T], clusters: Sequence[Hashable] | None) -> list[list[T]]:
    if clusters is None:
        return [[item] for item in items]
    groups: dict[Hashable, list[T]] = {}
    for item, cluster in zip(items, clusters, strict=True):
        groups.setdefault(cluster, []).append(item)
    return list(groups.values())


def unscored_bounds(
    mean: float, scored: int, unscored: int, least: float = 0.0, most: float = 1.0
) -> tuple[float, float]:
    """(low, high): bounds on the mean over all items, for any scores of the unscored ones (Manski 1989).

    ``mean`` is that of the ``scored`` items (ignored when there are none). ``unscored`` is the number of
    items without a score. A score lies between ``least`` and ``most``.
    """
    if scored + unscored == 0:
        return least, most
    known = mean * scored if scored else 0.0
    return (known + least * unscored) / (scored + unscored), (known + most * unscored) / (scored + unscored)
