"""Model against baseline: paired by item, from two intervals where nothing can be paired, and by exact
test.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from ptx.errors import PtxError
from ptx.records import Better, Metric
from ptx.stats.clusters import Parts, design_effect, mean_parts
from ptx.stats.distributions import LEVEL, binomial_tail, t_quantile, t_tail
from ptx.stats.seeds import combine, own_variance, seed_part

Verdict = Literal["better", "worse", "same"]
Scores = Mapping[str, float]  # item -> score; NaN: unscored
FEWEST_ALIKE = 6  # the smallest n with 2 * 0.5**n < 0.05
NAMED = 3  # missing items that an error names


class JoinError(PtxError):
    """Two models were not measured on the same items, so that pairing them would compare something else.

    ``side`` is the place of the model that lacks the most, ``missing`` what it lacks ``of`` all items.
    """

    def __init__(self, side: int, sides: int, missing: list[str], of: int) -> None:
        self.side, self.missing, self.of = side, missing, of
        named = ", ".join(missing[:NAMED]) + (", ..." if len(missing) > NAMED else "")
        super().__init__(f"{len(missing)} of {of} items are missing on side {side + 1} of {sides}: {named}")


@dataclass(frozen=True)
class Difference:
    """``value`` = candidate minus baseline, with its interval, over ``n`` shared items; ``p`` is two-sided.

    ``error`` and ``freedom`` are the standard error behind the interval and its degrees of freedom.
    ``unscored`` counts the shared items that one side or both could not score; ``bounds`` is what ``value``
    could be had they been scored (None: no bound is known).
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
        """Whether the interval holds zero."""
        return math.isnan(self.value) or self.low <= 0 <= self.high

    @property
    def verdict(self) -> Verdict:
        """What may be said: "same" unless the interval excludes zero (and the p-value, maybe corrected,
        agrees).
        """
        if self.tied or self.p >= 1 - LEVEL:
            return "same"
        return "better" if (self.value > 0) == (self.better == "higher") else "worse"


def join(sides: Sequence[Scores]) -> list[str]:
    """The items of all sides, sorted; an item without a score must be there as NaN.

    Raises:
        JoinError: a side lacks items that another has; it names how many, and some.
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
    """Mean of a - b over the items that both could score (NaN means unscored: counted, and bounded where
    ``span`` is known).

    Pairing removes what an item's difficulty adds to both, often most of the variance (Miller 2024, "Adding
    error bars to evals"). Real scores: paired t, on the clustered standard error where ``clusters`` (item ->
    cluster) is given. Right or wrong: Bonett and Price's adjusted interval, because the t interval has width
    zero when no item changed, as if five items could prove equality; its p-value is McNemar's exact one.
    ``weights`` (item -> weight) are those of a weighted mean. ``span`` is the least and the greatest score an
    item can have.

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
    """:func:`paired_difference` of two runs that were each repeated under some seeds (one mapping per seed).

    Each item's score is averaged over the seeds first; then the variance of the mean over items and the
    variance of the mean over seeds (of each side) are added, as in :func:`ptx.stats.across_seeds`.
    """
    every = join([*a, *b]) if a and b else []
    items = [item for item in every if not any(math.isnan(one[item]) for one in [*a, *b])]
    bounds = _bounds(a, b, every, span) if span and len(items) < len(every) else None
    if not items:
        return Difference(math.nan, -math.inf, math.inf, 0, 1.0, better, unscored=len(every), bounds=bounds)
    gaps = [fmean(one[item] for one in a) - fmean(one[item] for one in b) for item in items]
    groups = None if clusters is None else [clusters.get(item, item) for item in items]
    weigh = None if weights is None else [weights.get(item, 1.0) for item in items]
    seeds = [seed_part([fmean([one[item] for item in items], weigh) for one in side]) for side in (a, b)]
    binary = (
        weigh is None
        and len(a) == len(b) == 1
        and all(one[item] in (0, 1) for one in [*a, *b] for item in items)
    )
    centre, parts = _binary_parts(gaps, groups) if binary else _real_parts(gaps, groups, weigh)
    error, freedom = combine([parts, *seeds])
    half = t_quantile((1 + level) / 2, freedom) * error if error else 0.0
    limit = 1.0 if binary else math.inf
    value = fmean(gaps, weigh)
    low, high = max(-limit, centre - half), min(limit, centre + half)
    p = (
        mcnemar(gaps.count(1), gaps.count(-1))
        if binary and _apart(groups)
        else _p_value(centre, error, freedom)
    )
    unscored = len(every) - len(items)
    return Difference(
        value, min(low, value), max(high, value), len(items), p, better, error, freedom, unscored, bounds
    )


def mcnemar(won: int, lost: int) -> float:
    """Two-sided exact p-value of ``won`` against ``lost`` changed items, under equal chances for both
    (McNemar 1947; binomial).
    """
    return min(1.0, 2 * binomial_tail(min(won, lost), won + lost))


def unpaired_difference(a: Metric, b: Metric) -> Difference:
    """A - b from the two intervals alone, for what cannot be paired by item (a median latency);
    Satterthwaite's t.

    Both intervals are taken as symmetric. Two exact values (bytes on disk) differ or they do not.
    """
    value = a.value - b.value
    if math.isnan(value):
        return Difference(math.nan, -math.inf, math.inf, 0, 1.0, a.better)
    error, freedom = combine([(own_variance(one), max(1.0, one.n - 1.0)) for one in (a, b)])
    half = t_quantile((1 + LEVEL) / 2, freedom) * error if error else 0.0
    p = _p_value(value, error, freedom)
    return Difference(value, value - half, value + half, min(a.n, b.n), p, a.better, error, freedom)


def _bounds(
    a: Sequence[Scores], b: Sequence[Scores], items: Sequence[str], span: tuple[float, float]
) -> tuple[float, float]:
    """The mean of a - b over all items when what is unscored turns out worst, and best, for a."""

    def mean(side: Sequence[Scores], instead: float) -> float:
        return fmean(instead if math.isnan(one[item]) else one[item] for one in side for item in items)

    return mean(a, span[0]) - mean(b, span[1]), mean(a, span[1]) - mean(b, span[0])


def _apart(groups: Sequence[Hashable] | None) -> bool:
    return groups is None or len(set(groups)) == len(groups)


def _real_parts(
    gaps: Sequence[float], groups: Sequence[Hashable] | None, weights: Sequence[float] | None
) -> tuple[float, Parts]:
    """Centre, and (variance of the mean, degrees of freedom) of paired t.

    Equal gaps leave t without a spread to go by; then the sign test's bound holds: five of five may be chance
    (p = 0.06). A cluster counts as one there.
    """
    units = len(gaps) if groups is None else len(set(groups))
    if all(gap == gaps[0] for gap in gaps) and (gaps[0] == 0 or units >= FEWEST_ALIKE):
        return gaps[0], (0.0, max(1.0, units - 1.0))
    found, freedom = mean_parts(gaps, groups, weights)
    return fmean(gaps, weights), (math.inf, 1.0) if found == 0 and units < FEWEST_ALIKE else (found, freedom)


def _binary_parts(gaps: Sequence[float], groups: Sequence[Hashable] | None) -> tuple[float, Parts]:
    """Bonett and Price 2012, eq. 3: one item is added to each kind of disagreement, and two to n; clusters
    multiply the variance.
    """
    n = len(gaps) + 2
    won, lost = (sum(gap == sign for gap in gaps) + 1 for sign in (1, -1))
    centre = (won - lost) / n
    effect, freedom = design_effect(gaps, groups)
    return centre, (effect * ((won + lost) / n - centre**2) / n, freedom)


def _p_value(centre: float, error: float, freedom: float) -> float:
    if error == 0:
        return 1.0 if centre == 0 else 0.0
    return 2 * t_tail(abs(centre) / error, freedom)
