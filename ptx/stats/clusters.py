"""Clustered items: the variance of a mean when items were drawn in groups.

Questions about one passage, or turns of one user, carry less information than the same number of independent
items. The variance of a mean is computed from the sums of residuals per cluster (Liang and Zeger 1986), each
enlarged a little because the mean is estimated from the same values (CR2: Bell and McCaffrey 2002, eq. 3).
Intervals then use Student's t. Few or unequal clusters leave fewer degrees of freedom: the smaller of Bell
and McCaffrey's numbers under independence and under full correlation within clusters. With clusters of one
item each the results are the usual ones: s² / n, and n - 1.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from statistics import fmean, variance

Variance = tuple[float, float]  # variance of a mean, and its degrees of freedom


def variance_of_mean(
    values: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    weights: Sequence[float] | None = None,
) -> Variance:
    """(Variance of the mean, degrees of freedom) of ``values``; (inf, 1) for one value or one cluster.

    With ``weights`` (the bytes of a text) the mean is the ratio sum of weight x value / sum of weights. Its
    variance is linearised (Cochran 1977, 6.8), because both the weights and the values are a sample. Each
    item then counts as a cluster with its share of the total weight.
    """
    if clusters is None and weights is None:
        return (variance(values) / len(values), len(values) - 1.0) if len(values) > 1 else (math.inf, 1.0)
    parts = parts_of(values, clusters, weights)
    if len(parts) < 2:
        return math.inf, 1.0
    shares = [share for _, share in parts]
    total = math.fsum(part * part / (1 - share) for part, share in parts)
    return total, min(_freedom_if_independent(shares), _freedom_if_equal(shares))


def parts_of(
    values: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    weights: Sequence[float] | None = None,
) -> list[tuple[float, float]]:
    """Per unit (a cluster, else a value) its part of the mean's error, and its share of the total weight.

    The parts sum to zero: a part is the sum of weight x (value - mean) / total weight.
    """
    groups = range(len(values)) if clusters is None else clusters
    item_weights = [1.0] * len(values) if weights is None else weights
    if not len(groups) == len(item_weights) == len(values):
        raise ValueError(
            f"every value needs its cluster and weight, got {len(values)} values and {len(groups)} clusters,"
            f" {len(item_weights)} weights"
        )
    mean, whole = fmean(values, item_weights), math.fsum(item_weights)
    sums: dict[Hashable, float] = {}
    shares: dict[Hashable, float] = {}
    for value, cluster, weight in zip(values, groups, item_weights, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + weight * (value - mean) / whole
        shares[cluster] = shares.get(cluster, 0.0) + weight / whole
    return list(zip(sums.values(), shares.values(), strict=True))


def _freedom_if_independent(shares: Sequence[float]) -> float:
    """(tr M)² / tr(M²) where the items of a cluster are independent.

    Cov(e_g, e_h) = n (a_g [g = h] - a_g a_h), with the shares a.
    """
    weights = [1 / (1 - a) for a in shares]
    diagonal = math.fsum((w * a * (1 - a)) ** 2 for w, a in zip(weights, shares, strict=True))
    squares = [w * a * a for w, a in zip(weights, shares, strict=True)]
    rest = math.fsum(squares) ** 2 - math.fsum(s * s for s in squares)
    return 1 / (diagonal + rest)  # tr M = sum of a = 1


def _freedom_if_equal(shares: Sequence[float]) -> float:
    """(tr M)² / tr(M²) where the items of a cluster are equal.

    Cov(e_g, e_h) = n² a_g a_h ([g = h] - a_g - a_h + sum of a²), with the shares a.
    """
    s = math.fsum(a * a for a in shares)
    b = [a * a / (1 - a) for a in shares]
    trace = math.fsum(x * (1 - 2 * a + s) for x, a in zip(b, shares, strict=True))
    b0, b1, b2 = (math.fsum(x * a**power for x, a in zip(b, shares, strict=True)) for power in range(3))
    everywhere = s * s * b0 * b0 + 2 * b0 * b2 - 4 * s * b0 * b1 + 2 * b1 * b1
    own = math.fsum(x * x * ((1 - 2 * a + s) ** 2 - (s - 2 * a) ** 2) for x, a in zip(b, shares, strict=True))
    return trace * trace / (everywhere + own)
