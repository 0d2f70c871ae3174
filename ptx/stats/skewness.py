"""Few and skewed values: how far Student's interval has to be stretched, below and above the mean.

Student's interval is right for values that are spread like a bell. Scores seldom are: lengths and rewards
have a long tail, and most of a rare error's scores are zero. For such values it misses the mean in 10 to 40 %
of samples of 5 to 30 values, nearly always on the side of the tail, because a sample without the tail's
values has a small mean and a small spread at once. Two remedies, both measured in
``benchmarks/coverage.py``:

- Hall's transformation (Hall 1992, eq. 2.1) corrects the interval for the skewness of the values. The longer
  of Hall's and Student's half is taken on each side.
- Of few values the skewness is not known well either. So the quantile is enlarged below
  :data:`MANY` values, by up to 40 %; below :data:`FEWEST` there is no interval.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ptx.stats.clusters import parts_of, variance_of_mean
from ptx.stats.distributions import LEVEL, t_quantile

#: fewer items than this allow no claim: not even six equal gaps of one sign could be told from chance at 5 %
#: (2 * 0.5**5 > 0.05)
FEWEST = 6
#: from this many values on, the commonest value may leave fewer than :data:`FEWEST` others: one that stands
#: for one item in ten would be missed by 30 items with a probability of 4 %
FEWEST_EQUAL = 30
MANY = 25

Stretch = tuple[float, float]


@dataclass(frozen=True)
class MeanError:
    """The variance of a mean, and how Student's interval is stretched below and above it."""

    variance: float
    freedom: float
    below: float = 1.0
    above: float = 1.0


UNKNOWN = MeanError(math.inf, 1.0)


def mean_error(
    values: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    weights: Sequence[float] | None = None,
    level: float = LEVEL,
) -> MeanError:
    """The error of the (weighted) mean of measured values; :data:`UNKNOWN` if they are too few to tell."""
    parts = [part for part, _ in parts_of(values, clusters, weights)]
    commonest = Counter(values).most_common(1)[0][1] if values else 0
    others = len(values) - commonest  # a claim about a mean that few items move needs at least FEWEST of them
    if len(parts) < FEWEST or (others < min(FEWEST, commonest) and len(parts) < FEWEST_EQUAL):
        return UNKNOWN
    variance, freedom = variance_of_mean(values, clusters, weights)
    return MeanError(variance, freedom, *stretch_of(parts, freedom, level))


def skewness(residuals: Sequence[float]) -> float:
    """Fisher's skewness G1 of residuals (mean 0), corrected for small samples; 0 if all are 0."""
    n = len(residuals)
    second = math.fsum(r * r for r in residuals) / n
    if n < 3 or second == 0:
        return 0.0
    scale = math.sqrt(second)
    third = math.fsum((r / scale) ** 3 for r in residuals) / n
    return third * math.sqrt(n * (n - 1)) / (n - 2)


def stretch_of(residuals: Sequence[float], freedom: float, level: float = LEVEL) -> Stretch:
    """(Below, above): the factors, at least 1, by which Student's half-width has to be multiplied.

    ``residuals`` are the units' parts of the mean's error: a value minus the mean, or their sum in a cluster.
    ``freedom`` belongs to the t quantile.
    """
    n = len(residuals)
    caution = max(1.0, 1 + (MANY - n) / (2 * MANY))
    g, t = skewness(residuals), t_quantile((1 + level) / 2, freedom) / math.sqrt(n)
    if abs(g) < 1e-6:
        return caution, caution
    y = caution * t
    below, above = _hall(y, g, n) / t, -_hall(-y, g, n) / t
    return max(caution, below), max(caution, above)


def _hall(y: float, g: float, n: int) -> float:
    """The inverse of T + g T² / 3 + g² T³ / 27 + g / 6n, with T = (mean - truth) / deviation."""
    return 3 / g * (math.cbrt(1 + g * (y - g / (6 * n))) - 1)
