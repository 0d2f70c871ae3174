"""Metrics of one run under several seeds: the variances over seeds and over items are added."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, variance

from ptx.records import Metric
from ptx.stats.clusters import Variance
from ptx.stats.distributions import LEVEL, t_quantile

#: units of values between 0 and 1
FRACTIONS = ("fraction", "accuracy", "probability", "rate", "share")


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
    own = fmean(metric_variance(metric) for metric in metrics)
    n = min(metric.n for metric in metrics)
    error, freedom = combine([(own, max(1.0, n - 1.0)), seed_variance([metric.value for metric in metrics])])
    value = fmean(metric.value for metric in metrics)
    half = t_quantile((1 + LEVEL) / 2, freedom) * error if error else 0.0
    low, high = _within(metrics, value - half, value + half)
    return replace(metrics[0], value=value, low=min(low, value), high=max(high, value), n=n)


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


def metric_variance(metric: Metric) -> float:
    """The squared standard error of a metric, from its interval taken as symmetric."""
    half = (metric.high - metric.low) / 2
    return (
        math.inf if math.isinf(half) else (half / t_quantile((1 + LEVEL) / 2, max(1.0, metric.n - 1.0))) ** 2
    )


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
