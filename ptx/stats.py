"""Intervals and comparisons: every number of a report passes through here.

Pure functions on the standard library; nothing is imported that a report would have to wait for. All intervals are two-sided
and at 95 % unless said otherwise. Which one is for what:

=====================  ======================================  ==============================================================
function               for                                     after
=====================  ======================================  ==============================================================
proportion             right or wrong, counted                 Wilson 1927 (score interval); Brown, Cai and DasGupta 2001
mean_interval          the mean of real scores                 Student 1908
quantile_interval      medians, p95 of latencies               order statistics, distribution-free (David and Nagaraja 2003, 7.1)
bootstrap              what has no formula                     Efron 1979, percentile method
paired_difference      model against baseline, item by item    Student's paired t; Bonett and Price 2012 for right/wrong
unpaired_difference    what shares no items                    Welch 1947
across_seeds           the same run under several seeds        two variance components, Satterthwaite 1946
holm                   many comparisons, one baseline          Holm 1979
=====================  ======================================  ==============================================================

The house rule stands in :attr:`Difference.verdict`: a difference whose interval contains zero is "same", never a win.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist, fmean, variance
from typing import Literal, TypeVar

from ptx.records import Better, Metric

Verdict = Literal["better", "worse", "same"]
T = TypeVar("T")
LEVEL = 0.95
FEWEST_ALIKE = 6  # the smallest n with 2 * 0.5**n < 0.05


def proportion(successes: float, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval for ``successes`` out of ``n``; never empty and never outside [0, 1].

    The textbook interval p ± z·sqrt(p(1-p)/n) has width zero at 0 and 1 and covers far less than it says (Brown et al. 2001),
    and a benchmark meets both ends. ``successes`` may be fractional (an item's mean over repeats): the interval is then on the
    safe side, as averaged outcomes vary less than single ones.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"proportion needs 0 <= successes <= n and n >= 1, got {successes} of {n}")
    z = normal_quantile((1 + level) / 2)
    p, shrink = successes / n, 1 + z * z / n
    centre = (p + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # at the ends the formula gives exactly p, up to rounding
    return min(max(0.0, centre - half), p), max(min(1.0, centre + half), p)


def mean_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float, float]:
    """(mean, low, high) by Student's t. One value says nothing about its spread: its interval is infinite."""
    if not values:
        raise ValueError("mean_interval needs at least one value, got none")
    mean = fmean(values)
    if len(values) == 1:
        return mean, -math.inf, math.inf
    half = t_quantile((1 + level) / 2, len(values) - 1) * math.sqrt(variance(values) / len(values))
    return mean, mean - half, mean + half


def quantile_interval(values: Sequence[float], q: float, level: float = LEVEL) -> tuple[float, float, float]:
    """(value, low, high) of the ``q`` quantile without assuming a distribution.

    The number of values below the true quantile is binomial(n, q), so a pair of order statistics covers it with a probability that
    can be read off; each tail holds at most (1 - level) / 2. Where no order statistic is far enough out the bound is infinite
    instead of too narrow: the p95 of fewer than 72 requests has no upper bound at 95 %. ``value`` interpolates (numpy's default).
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
    """Ranks (from 1) of the order statistics that bound the quantile; 0 and n + 1 stand for "there is none"."""
    cumulative, low, high = 0.0, 0, n + 1
    for count in range(n + 1):
        cumulative += math.exp(math.lgamma(n + 1) - math.lgamma(count + 1) - math.lgamma(n - count + 1) + _logs(count, n, q))
        if cumulative <= tail:
            low = count + 1  # P(fewer than low values below the quantile) is at most the tail
        if cumulative >= 1 - tail and high > n:
            high = count + 1
    return low, high


def _logs(count: int, n: int, q: float) -> float:
    return count * math.log(q) + (n - count) * math.log1p(-q)


def bootstrap(
    items: Sequence[T], statistic: Callable[[Sequence[T]], float], seed: int, repeats: int = 1000, level: float = LEVEL
) -> tuple[float, float, float]:
    """(value, low, high) of any statistic, by resampling ``items`` with replacement (percentile method).

    What is resampled must be what was sampled: prompts, not the several games or tokens of a prompt (hand over a list of groups).
    A resample on which the statistic is NaN is left out.
    """
    if not items or repeats < 1:
        raise ValueError(f"bootstrap needs items and repeats >= 1, got {len(items)} items and repeats={repeats}")
    generator = random.Random(seed)  # noqa: S311 (statistics, not secrets)
    value = statistic(items)
    drawn = sorted(result for _ in range(repeats) if not math.isnan(result := statistic(generator.choices(items, k=len(items)))))
    if not drawn:
        return value, -math.inf, math.inf
    tail = (1 - level) / 2
    low, high = drawn[math.floor(tail * (len(drawn) - 1))], drawn[math.ceil((1 - tail) * (len(drawn) - 1))]
    return value, min(low, value), max(high, value)


@dataclass(frozen=True)
class Difference:
    """``value`` = candidate minus baseline, with its interval, over ``n`` shared items; ``p`` is two-sided."""

    value: float
    low: float
    high: float
    n: int
    p: float = 1.0
    better: Better = "higher"

    @property
    def verdict(self) -> Verdict:
        """What may be said: "same" unless the interval excludes zero (and the p-value, maybe corrected, agrees)."""
        if math.isnan(self.value) or self.low <= 0 <= self.high or self.p >= 1 - LEVEL:
            return "same"
        return "better" if (self.value > 0) == (self.better == "higher") else "worse"


def paired_difference(a: Mapping[str, float], b: Mapping[str, float], better: Better = "higher", level: float = LEVEL) -> Difference:
    """Mean of a - b over the items that both have and both could score (NaN means unscored).

    Pairing removes what an item's difficulty adds to both, often most of the variance (Miller 2024, "Adding error bars to
    evals"). Real scores: paired t. Right or wrong: Bonett and Price's adjusted interval, because the t interval has width
    zero when no item changed, as if five items could prove equality.
    """
    return paired_across_seeds([a], [b], better, level)


def paired_across_seeds(
    a: Sequence[Mapping[str, float]], b: Sequence[Mapping[str, float]], better: Better = "higher", level: float = LEVEL
) -> Difference:
    """:func:`paired_difference` of two runs that were each repeated under some seeds (one mapping per seed).

    Each item's score is averaged over the seeds first; then the variance of the mean over items and the variance of the mean over
    seeds (of each side) are added, as in :func:`across_seeds`.
    """
    items = sorted(set.intersection(*(_scored(one) for one in [*a, *b]))) if a and b else []
    if not items:
        return Difference(math.nan, -math.inf, math.inf, 0, 1.0, better)
    gaps = [fmean(one[item] for one in a) - fmean(one[item] for one in b) for item in items]
    seeds = [_seed_part([fmean(one[item] for item in items) for one in side]) for side in (a, b)]
    binary = len(a) == len(b) == 1 and all(one[item] in (0, 1) for one in [*a, *b] for item in items)
    centre, parts = _binary_parts(gaps) if binary else _real_parts(gaps)
    error, freedom = _combine([parts, *seeds])
    half = t_quantile((1 + level) / 2, freedom) * error if error else 0.0
    limit = 1.0 if binary else math.inf
    value = fmean(gaps)
    low, high = max(-limit, centre - half), min(limit, centre + half)
    return Difference(value, min(low, value), max(high, value), len(items), _p_value(centre, error, freedom), better)


def unpaired_difference(a: Metric, b: Metric) -> Difference:
    """A - b from the two intervals alone, for what cannot be paired by item (a median latency); Satterthwaite's t.

    Both intervals are taken as symmetric. Two exact values (bytes on disk) differ or they do not.
    """
    value = a.value - b.value
    if math.isnan(value):
        return Difference(math.nan, -math.inf, math.inf, 0, 1.0, a.better)
    error, freedom = _combine([(_own_variance(one), max(1.0, one.n - 1.0)) for one in (a, b)])
    half = t_quantile((1 + LEVEL) / 2, freedom) * error if error else 0.0
    return Difference(value, value - half, value + half, min(a.n, b.n), _p_value(value, error, freedom), a.better)


def _scored(scores: Mapping[str, float]) -> set[str]:
    return {item for item, score in scores.items() if not math.isnan(score)}


def _real_parts(gaps: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """Centre, and (variance of the mean, degrees of freedom) of paired t.

    Equal gaps leave t without a spread to go by; then the sign test's bound holds: five of five may be chance (p = 0.06).
    """
    spread = variance(gaps) if len(gaps) > 1 else 0.0
    if spread == 0 and gaps[0] != 0 and len(gaps) < FEWEST_ALIKE:
        return gaps[0], (math.inf, 1.0)
    return fmean(gaps), (spread / len(gaps), max(1.0, len(gaps) - 1.0))


def _binary_parts(gaps: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """Bonett and Price 2012, eq. 3: one item is added to each kind of disagreement, and two to n; normal quantile."""
    n = len(gaps) + 2
    won, lost = (sum(gap == sign for gap in gaps) + 1 for sign in (1, -1))
    centre = (won - lost) / n
    return centre, (((won + lost) / n - centre**2) / n, math.inf)


def _seed_part(means: Sequence[float]) -> tuple[float, float]:
    """(Variance of the mean over seeds, degrees of freedom); nothing is known, and nothing added, from one seed."""
    return (variance(means) / len(means), len(means) - 1.0) if len(means) > 1 else (0.0, math.inf)


def _combine(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Standard error and degrees of freedom of a sum of independent parts (Satterthwaite 1946)."""
    total = sum(part for part, _ in parts)
    if total == 0 or math.isinf(total):
        return math.sqrt(total), 1.0
    shares = sum(part**2 / freedom for part, freedom in parts)
    return math.sqrt(total), total**2 / shares if shares else math.inf


def _p_value(centre: float, error: float, freedom: float) -> float:
    if error == 0:
        return 1.0 if centre == 0 else 0.0
    return 2 * t_tail(abs(centre) / error, freedom)


def across_seeds(metrics: Sequence[Metric]) -> Metric:
    """One metric from the same metric under several seeds: mean value; interval from both sources of chance.

    Seeds answer "would another training run do as well?", items "would other test items agree?". The variance of the mean is

        var(values over seeds) / seeds  +  mean of the metrics' own squared standard errors

    where the second part is not divided by the number of seeds: all seeds saw the same items, so more of them do not make
    the test set larger. That is exact when the items' luck is fully shared between seeds, and too wide (never too narrow) when it
    is not. ``n`` stays the number of items. One seed: the metric itself; what seeds would add is then unknown.
    """
    if not metrics:
        raise ValueError("across_seeds needs at least one metric, got none")
    if len(metrics) == 1 or any(math.isnan(metric.value) for metric in metrics):
        return next((metric for metric in metrics if math.isnan(metric.value)), metrics[0])
    own = fmean(_own_variance(metric) for metric in metrics)
    n = min(metric.n for metric in metrics)
    error, freedom = _combine([(own, max(1.0, n - 1.0)), _seed_part([metric.value for metric in metrics])])
    value = fmean(metric.value for metric in metrics)
    half = t_quantile((1 + LEVEL) / 2, freedom) * error if error else 0.0
    low, high = _within(metrics, value - half, value + half)
    return replace(metrics[0], value=value, low=min(low, value), high=max(high, value), n=n)


def _own_variance(metric: Metric) -> float:
    half = (metric.high - metric.low) / 2
    return math.inf if math.isinf(half) else (half / t_quantile((1 + LEVEL) / 2, max(1.0, metric.n - 1.0))) ** 2


def _within(metrics: Sequence[Metric], low: float, high: float) -> tuple[float, float]:
    """Cut an interval at the bounds that its unit has: nothing measured here is negative but differences and log-probabilities."""
    floor = 0.0 if all(metric.low >= 0 for metric in metrics) else -math.inf
    ceiling = 1.0 if metrics[0].unit in FRACTIONS and all(metric.high <= 1 for metric in metrics) else math.inf
    return max(low, floor), min(high, ceiling)


#: units whose values cannot exceed one
FRACTIONS = ("fraction", "accuracy", "probability", "rate", "share")


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: adjusted p-values in the given order, to be held against the usual 0.05.

    With twelve rows against one baseline at 5 % each, one false win is more likely than not over a few metrics; Holm bounds the chance
    of any, without assuming independence, and rejects whatever Bonferroni does.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """The same differences with Holm's p-values: their verdicts hold together at 5 %."""
    return [replace(one, p=p) for one, p in zip(differences, holm([one.p for one in differences]), strict=True)]


def normal_quantile(level: float) -> float:
    """Standard normal quantile."""
    return NormalDist().inv_cdf(level)


def t_tail(t: float, freedom: float) -> float:
    """P(T > t) for t >= 0, through the regularised incomplete beta function (Abramowitz and Stegun 26.7.1)."""
    if math.isinf(freedom):
        return math.erfc(t / math.sqrt(2)) / 2
    return _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2


@functools.cache
def t_quantile(level: float, freedom: float) -> float:
    """Student's t quantile for 0.5 < level < 1, by bisection on :func:`t_tail` (to 1e-12 relative; checked against scipy)."""
    if math.isinf(freedom):
        return normal_quantile(level)
    low, high = 0.0, 1.0
    while t_tail(high, freedom) > 1 - level:
        low, high = high, high * 2
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if t_tail(middle, freedom) > 1 - level else (low, middle)
    return (low + high) / 2


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """I_x(a, b) by Lentz's continued fraction (Press et al., Numerical Recipes 6.4)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    scale = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, 300):
        for step in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
            d, c = 1 / _away(1 + step * d), _away(1 + step / c)
            result *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return scale * result


def _away(value: float) -> float:
    """Lentz's guard against a division by zero."""
    return value if abs(value) > 1e-300 else 1e-300
