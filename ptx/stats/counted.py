"""Means of scores with a known span (right or wrong, 0 to 1): exact intervals on an effective number.

Clopper and Pearson's interval is the set of all rates under which the count is not surprising. It covers the
truth in at least 95 % of samples, for every rate and every number of items. The shorter intervals do so only
on average: Wilson's covers a rate of 0.97 in 85 % of samples of five.

Three things change the number of items that the count stands for (Korn and Graubard 1998):

- Clusters divide it by their design effect, and by the square of Student's quantile over the normal one.
- Scores between the ends (0.5 for a tie) vary less than right and wrong with the same mean. They multiply it.
- Near 0 and 1 the design effect is the hard part. If one cluster of ten has an error, nothing in the data
  says whether the next error takes one item or a whole cluster. So the correlation within clusters is taken
  to be 1 where no cluster holds the rarer outcome, and the estimate is trusted as more of them do.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Hashable, Sequence
from statistics import fmean, variance

from ptx.stats.clusters import Variance, parts_of, variance_of_mean
from ptx.stats.distributions import LEVEL, beta_quantile, normal_quantile, t_quantile

Span = tuple[float, float]
#: scores are counted if this share of them has one and the same value; else they are measured
REPEATED = 0.25
ENDS = 1.0  # weight, in items, of the variance that right and wrong with the same mean would have


@functools.lru_cache(maxsize=4096)
def clopper_pearson(successes: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """(low, high) for ``successes`` out of ``n``, which may both be fractional (Clopper and Pearson 1934)."""
    tail, failures = (1 - level) / 2, n - successes
    low = beta_quantile(tail, successes, failures + 1) if successes > 0 else 0.0
    high = 1 - beta_quantile(tail, failures, successes + 1) if failures > 0 else 1.0
    share = successes / n
    return min(low, share), max(high, share)


def is_counted(values: Sequence[float], span: Span | None) -> bool:
    """Whether the values are counts of outcomes: all 0 or 1, or within a span and many of them the same.

    Zeros alone, without a known span, are no counts: of a score that is seldom above zero they say nothing.
    """
    if all(value in (0, 1) for value in values) and (span is not None or any(values)):
        return True
    if span is None or not all(span[0] <= value <= span[1] for value in values):
        return False
    return max(Counter(values).values()) >= max(2, REPEATED * len(values))


def counted_interval(
    values: Sequence[float],
    level: float = LEVEL,
    *,
    clusters: Sequence[Hashable] | None = None,
    span: Span = (0.0, 1.0),
) -> tuple[float, float]:
    """(low, high) of the mean of ``values``, each within ``span``."""
    least, width = span[0], span[1] - span[0]
    shares = [(value - least) / width for value in values]
    n, mean = effective_items(shares, clusters, level), fmean(shares)
    low, high = clopper_pearson(mean * n, n, level)
    return least + width * low, least + width * high


def effective_items(
    shares: Sequence[float], clusters: Sequence[Hashable] | None = None, level: float = LEVEL
) -> float:
    """The number of independent right or wrong items that say as much as ``shares`` in [0, 1]."""
    n, mean, z = len(shares), fmean(shares), normal_quantile((1 + level) / 2)
    alone: float = n
    spread = mean * (1 - mean)
    if n > 1 and spread > 0 and not all(share in (0, 1) for share in shares):
        own = (n * variance(shares) + ENDS * spread) / (n + ENDS)
        alone = max(alone, n * spread / own * (z / t_quantile((1 + level) / 2, n - 1)) ** 2)
    effect, freedom = design_effect(shares, clusters)
    if math.isinf(freedom):
        return alone
    return max(1.0, alone / effect * (z / t_quantile((1 + level) / 2, freedom)) ** 2)


def design_effect(values: Sequence[float], clusters: Sequence[Hashable] | None) -> Variance:
    """(Factor by which clusters multiply the variance of the mean, degrees of freedom).

    The factor is at least 1; without clusters the result is (1, inf). The estimated correlation within
    clusters is moved towards 1 by 2 / (2 + k^1.5), where k clusters hold the rarer outcome (for gaps of -1, 0
    and 1: any change). If all values are equal, or all belong to one cluster, a cluster counts as one item.
    """
    if clusters is None or len(set(clusters)) == len(clusters):
        return 1.0, math.inf
    names, n = Counter(clusters), len(values)
    size = math.fsum(count * count for count in names.values()) / n  # of the cluster that an item is in
    if len(names) == 1:
        return float(n), 1.0
    clustered, freedom = variance_of_mean(values, clusters)
    alone = variance(values) / n
    if alone == 0:
        return size, max(1.0, len(names) - 1.0)
    found = clustered / alone
    correlation = min(1.0, max(0.0, (found - 1) / (size - 1)))
    holding = clusters_holding_rarer(values, clusters)
    correlation += (1 - correlation) * 2 / (2 + holding**1.5)
    return max(1.0, found, 1 + (size - 1) * correlation), _freedom(values, clusters, freedom, holding)


def clusters_holding_rarer(values: Sequence[float], clusters: Sequence[Hashable]) -> int:
    """The number of clusters with a value that is not the most common one."""
    common = Counter(values).most_common(1)[0][0]
    return len({cluster for value, cluster in zip(values, clusters, strict=True) if value != common})


def _freedom(values: Sequence[float], clusters: Sequence[Hashable], freedom: float, holding: int) -> float:
    """The degrees of freedom; fewer where the variance rests on a few of the clusters with the rarer outcome.

    The number of clusters that the sum of squares rests on is (sum e²)² / sum e⁴, a third of them for
    residuals spread like a bell.
    """
    squares = [part * part for part, _ in parts_of(values, clusters)]
    resting = math.fsum(squares) ** 2 / (math.fsum(one * one for one in squares) or 1.0)
    return freedom if holding <= 2 * resting else max(1.0, min(freedom, 3 * resting - 1))
