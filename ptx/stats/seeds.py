"""Metrics of one run under several seeds: the variances over seeds and over items are added."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, variance

from ptx.records import Metric
from ptx.stats.clusters import Variance
from ptx.stats.distributions import LEVEL, normal_quantile, t_quantile

#: units of values between 0 and 1
FRACTIONS = ("fraction", "accuracy", "probability", "rate", "share")


def span_of(unit: str) -> tuple[float, float] | None:
    """The least and the greatest score that an item can have; None if the unit does not tell."""
    return (0.0, 1.0) if unit in FRACTIONS else None


def across_seeds(metrics: Sequence[Metric]) -> Metric:
    """One metric from the same metric under several seeds: the mean value, with an interval for both sources.

    Seeds answer "would another training run do as well?", items "would other test items agree?". The variance
    of the mean is

        var(values over seeds) / seeds  +  mean of the metrics' own squared standard errors

    The second part is not divided by the number of seeds: all seeds were evaluated on the same items, so more
    seeds do not make the test set larger. This is exact when the sampling error of the items is the same for
    all seeds, and too wide (never too narrow) when it is not. ``n`` stays the number of items. With one seed
    the result is that metric; the variance over seeds is then unknown.
    """
    if not metrics:
        raise ValueError("across_seeds needs at least one metric, got none")
    if len(metrics) == 1 or any(math.isnan(metric.value) for metric in metrics):
        return next((metric for metric in metrics if math.isnan(metric.value)), metrics[0])
    n = min(metric.n for metric in metrics)
    value = fmean(metric.value for metric in metrics)
    sides = zip(*(halves(metric) for metric in metrics), strict=True)
    below, above = (_half(side, [metric.value for metric in metrics]) for side in sides)
    low, high = _within(metrics, value - below, value + above)
    return replace(metrics[0], value=value, low=min(low, value), high=max(high, value), n=n)


def _half(own: Sequence[float], values: Sequence[float]) -> float:
    """One side's half-width: the items' own ones (mean of squares) and the variance over seeds, added.

    However the items' interval was made, its half-width is at least the normal quantile times their error.
    """
    items = fmean(half * half for half in own) / normal_quantile((1 + LEVEL) / 2) ** 2
    error, freedom = combine([(items, math.inf), seed_variance(values)])
    return t_quantile((1 + LEVEL) / 2, freedom) * error if error else 0.0


def seed_variance(means: Sequence[float]) -> Variance:
    """(Variance of the mean over seeds, degrees of freedom); (0, inf) for one seed: nothing is added."""
    return (variance(means) / len(means), len(means) - 1.0) if len(means) > 1 else (0.0, math.inf)


def combine(parts: Sequence[Variance]) -> tuple[float, float]:
    """Standard error and degrees of freedom of a sum of independent variances (Satterthwaite 1946)."""
    total = sum(part for part, _ in parts)
    if total == 0 or math.isinf(total):
        return math.sqrt(total), 1.0
    shares = sum(part**2 / freedom for part, freedom in parts)
    return math.sqrt(total), total**2 / shares if shares else math.inf


def halves(metric: Metric) -> tuple[float, float]:
    """(Below, above): the two half-widths of a metric's interval."""
    return metric.value - metric.low, metric.high - metric.value


def _within(metrics: Sequence[Metric], low: float, high: float) -> tuple[float, float]:
    """Cut an interval at the bounds of its unit.

    The lower bound is 0 unless a metric has negative values (differences, log-probabilities); the upper bound
    is 1 for fractions.
    """
    floor = 0.0 if all(metric.low >= 0 for metric in metrics) else -math.inf
    ceiling = (
        1.0 if metrics[0].unit in FRACTIONS and all(metric.high <= 1 for metric in metrics) else math.inf
    )
    return max(low, floor), min(high, ceiling)
