"""Differences between a model and its baseline, paired by item.

From two intervals alone: :mod:`ptx.stats.unpaired`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from ptx.errors import PtxError
from ptx.records import Better
from ptx.stats.counted import counted_interval, design_effect, is_counted
from ptx.stats.distributions import LEVEL, binomial_tail, normal_quantile, t_quantile, t_tail
from ptx.stats.seeds import combine, seed_variance
from ptx.stats.skewness import FEWEST, FEWEST_EQUAL, UNKNOWN, MeanError, mean_error

Verdict = Literal["better", "worse", "same", "too few"]
Scores = Mapping[str, float]  # item -> score; NaN: unscored
NAMED_ITEMS = 3  # missing items that an error names


class JoinError(PtxError):
    """Two models were not measured on the same items, so their scores cannot be paired.

    ``side`` is the index of the model that lacks the most items, ``missing`` the items it lacks, ``of`` the
    number of all items.
    """

    def __init__(self, side: int, sides: int, missing: list[str], of: int) -> None:
        self.side, self.missing, self.of = side, missing, of
        named = ", ".join(missing[:NAMED_ITEMS]) + (", ..." if len(missing) > NAMED_ITEMS else "")
        super().__init__(f"{len(missing)} of {of} items are missing on side {side + 1} of {sides}: {named}")


@dataclass(frozen=True)
class Difference:
    """``value`` = candidate minus baseline, with its interval, over ``n`` shared items; ``p`` is two-sided.

    ``error`` and ``freedom`` are the standard error of the difference and its degrees of freedom.
    ``unscored`` counts the shared items without a score on one side or both. ``bounds`` are the least and the
    greatest ``value`` for any scores of those items (None: no bound is known).
    """

    value: float
    low: float
    high: float
    n: int
    p: float = 1.0
    better: Better = "higher"
    error: float = math.nan
    freedom: float = math.inf
    unscored: int = 0
    bounds: tuple[float, float] | None = None

    @property
    def tied(self) -> bool:
        """Whether the interval contains zero, or there is no value."""
        return math.isnan(self.value) or self.low <= 0 <= self.high

    @property
    def too_few(self) -> bool:
        """Whether the items are too few to say anything, not even that no difference can be seen.

        Exact values (an error of zero) need no items.
        """
        return not math.isnan(self.value) and self.error != 0 and (self.n < FEWEST or math.isinf(self.error))

    @property
    def verdict(self) -> Verdict:
        """The supported claim: "same" unless the interval excludes zero and the p-value is below 5 %.

        The p-value may be corrected for many comparisons (:func:`ptx.stats.corrected`).
        """
        if self.too_few:
            return "too few"
        if self.tied or self.p >= 1 - LEVEL:
            return "same"
        return "better" if (self.value > 0) == (self.better == "higher") else "worse"

    def with_p(self, p: float) -> Difference:
        """The same difference with another p-value; ``replace`` takes five times as long, of 200,000."""
        new = object.__new__(Difference)
        new.__dict__.update(self.__dict__, p=p)
        return new


def join(sides: Sequence[Scores]) -> list[str]:
    """The items of all sides, sorted; an item without a score must be present as NaN.

    Raises:
        JoinError: a side lacks items that another has; the message has their number and some names.
    """
    every = set().union(*sides)
    gaps = [(place, sorted(every - set(side))) for place, side in enumerate(sides)]
    if any(missing for _, missing in gaps):
        side, missing = max(gaps, key=lambda gap: len(gap[1]))
        raise JoinError(side, len(sides), missing, len(every))
    return sorted(every)


def paired_difference(
    a: Scores,
    b: Scores,
    better: Better = "higher",
    level: float = LEVEL,
    *,
    clusters: Mapping[str, Hashable] | None = None,
    weights: Mapping[str, float] | None = None,
    span: tuple[float, float] | None = None,
) -> Difference:
    """Mean of a - b over the items that have a score on both sides (NaN: no score).

    Pairing removes the variance that comes from the items' difficulty, often most of it (Miller 2024, "Adding
    error bars to evals"). For measured scores it is the paired t, stretched for few and skewed gaps
    (:mod:`ptx.stats.skewness`), with the clustered standard error if ``clusters`` (item -> cluster) are
    given. For scores of 0 and 1 it is Bonett and Price's adjusted interval: the t interval has width zero
    when no item changed, as if five items could prove equality. The p-value is then McNemar's exact one.
    ``weights`` (item -> weight) make the mean a weighted one. ``span`` is the least and the greatest score an
    item can have; with it, :attr:`Difference.bounds` are known for unscored items, and gaps of which many are
    the same are counted (:mod:`ptx.stats.counted`).

    Raises:
        JoinError: an item is missing on one side.
    """
    return paired_across_seeds([a], [b], better, level, clusters=clusters, weights=weights, span=span)


def paired_across_seeds(
    a: Sequence[Scores],
    b: Sequence[Scores],
    better: Better = "higher",
    level: float = LEVEL,
    *,
    clusters: Mapping[str, Hashable] | None = None,
    weights: Mapping[str, float] | None = None,
    span: tuple[float, float] | None = None,
) -> Difference:
    """:func:`paired_difference` of two runs that were repeated under several seeds (one mapping per seed).

    Each item's score is first averaged over the seeds. The variance of the mean over items and the variances
    of the means over seeds (one per side) are then added, as in :func:`ptx.stats.across_seeds`.
    """
    every = join([*a, *b]) if a and b else []
    items = [item for item in every if not any(math.isnan(one[item]) for one in [*a, *b])]
    bounds = _bounds(a, b, every, span) if span and len(items) < len(every) else None
    if not items:
        return Difference(math.nan, -math.inf, math.inf, 0, 1.0, better, unscored=len(every), bounds=bounds)
    gaps = [fmean(one[item] for one in a) - fmean(one[item] for one in b) for item in items]
    groups = None if clusters is None else [clusters.get(item, item) for item in items]
    item_weights = None if weights is None else [weights.get(item, 1.0) for item in items]
    seeds = [
        seed_variance([fmean([one[item] for item in items], item_weights) for one in side]) for side in (a, b)
    ]
    binary = (
        item_weights is None
        and len(a) == len(b) == 1
        and all(one[item] in (0, 1) for one in [*a, *b] for item in items)
    )
    centre, found = _item_error(gaps, groups, item_weights, span, level, binary=binary)
    error, freedom = combine([(found.variance, found.freedom), *seeds])
    half = t_quantile((1 + level) / 2, freedom) * error if error else 0.0
    limit = span[1] - span[0] if span else 1.0 if binary else math.inf
    value = fmean(gaps, item_weights)
    low, high = max(-limit, centre - found.below * half), min(limit, centre + found.above * half)
    p = (
        mcnemar(gaps.count(1), gaps.count(-1))
        if binary and _all_distinct(groups)
        else p_value(centre, error * (found.below if centre > 0 else found.above), freedom)
    )
    unscored = len(every) - len(items)
    return Difference(
        value, min(low, value), max(high, value), len(items), p, better, error, freedom, unscored, bounds
    )


def mcnemar(won: int, lost: int) -> float:
    """Two-sided exact p-value of ``won`` gained and ``lost`` lost items (McNemar 1947).

    The null hypothesis is that both are equally likely; the distribution is binomial.
    """
    return min(1.0, 2 * binomial_tail(min(won, lost), won + lost))


def _bounds(
    a: Sequence[Scores], b: Sequence[Scores], items: Sequence[str], span: tuple[float, float]
) -> tuple[float, float]:
    """The mean of a - b over all items if the unscored ones had the worst, and the best, scores for a."""

    def mean(side: Sequence[Scores], instead: float) -> float:
        return fmean(instead if math.isnan(one[item]) else one[item] for one in side for item in items)

    return mean(a, span[0]) - mean(b, span[1]), mean(a, span[1]) - mean(b, span[0])


def _all_distinct(groups: Sequence[Hashable] | None) -> bool:
    """Whether every item is a cluster of its own."""
    return groups is None or len(set(groups)) == len(groups)


def _item_error(
    gaps: Sequence[float],
    groups: Sequence[Hashable] | None,
    weights: Sequence[float] | None,
    span: tuple[float, float] | None,
    level: float,
    *,
    binary: bool,
) -> tuple[float, MeanError]:
    """Centre of the interval, and the error of the mean gap, from the variance over items."""
    if binary:
        return _binary_error(gaps, groups)
    mean, units = fmean(gaps, weights), len(gaps) if groups is None else len(set(groups))
    width = span[1] - span[0] if span else 0.0
    if weights is None and width and is_counted(gaps, (-width, width)):
        return mean, _counted_error(gaps, groups, width, level)
    if all(gap == gaps[0] for gap in gaps):
        return mean, MeanError(0.0, units - 1.0) if units >= FEWEST_EQUAL else UNKNOWN
    return mean, mean_error(gaps, groups, weights, level)


def _counted_error(
    gaps: Sequence[float], groups: Sequence[Hashable] | None, width: float, level: float
) -> MeanError:
    """The error of a mean of gaps within ± ``width`` that are counted.

    The factors stretch the normal interval of unit variance ``width`` to the counted one.
    """
    low, high = counted_interval(gaps, level, clusters=groups, span=(-width, width))
    mean, z = fmean(gaps), normal_quantile((1 + level) / 2)
    error = max(high - mean, mean - low) / z
    return MeanError(error**2, math.inf, (mean - low) / (z * error), (high - mean) / (z * error))


def _binary_error(gaps: Sequence[float], groups: Sequence[Hashable] | None) -> tuple[float, MeanError]:
    """Centre of the interval, and the error of the mean gap, of scores of 0 and 1.

    Bonett and Price 2012, eq. 3: one item is added to each kind of disagreement, and two to n. The design
    effect of the clusters multiplies the variance.
    """
    n = len(gaps) + 2
    won, lost = (sum(gap == sign for gap in gaps) + 1 for sign in (1, -1))
    centre = (won - lost) / n
    effect, freedom = design_effect(gaps, groups)
    return centre, MeanError(effect * ((won + lost) / n - centre**2) / n, freedom)


def p_value(centre: float, error: float, freedom: float) -> float:
    """Two-sided p-value of a centre with its standard error; an exact one is certain."""
    if error == 0:
        return 1.0 if centre == 0 else 0.0
    return 2 * t_tail(abs(centre) / error, freedom)
