"""Agreement beyond chance, for judges, detectors and annotators.

Raw agreement is high for a rater who always gives the same label: a safety label that was right in 74 % of
cases had a kappa of .08. All three coefficients here are (observed - chance) / (1 - chance) agreement; they
differ in their model of chance and in whether ratings may be missing.

Intervals are Student's on Fisher's z (artanh of the coefficient), whose sampling distribution is far less
skewed than that of the coefficient near 1; the standard errors are the closed forms named below. With perfect
agreement every formula gives a width of zero. The lower bound then follows from the exact bound on the
agreement: "none of n disagreed" does not prove that nobody ever will.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ptx.stats.distributions import LEVEL, t_quantile
from ptx.stats.intervals import Interval, proportion

if TYPE_CHECKING:  # numpy is imported inside the functions: a report must start without it
    from numpy.typing import NDArray

UNDEFINED: Interval = (math.nan, -math.inf, math.inf)


def cohen_kappa(a: Sequence[Hashable], b: Sequence[Hashable], level: float = LEVEL) -> Interval:
    """(kappa, low, high) of two raters who both labelled every item (Cohen 1960).

    The standard error is that of Fleiss, Cohen and Everitt (1969, eq. 13). kappa is NaN when both raters used
    one and the same label only: chance alone then explains full agreement.
    """
    import numpy as np

    if len(a) != len(b) or not a:
        raise ValueError(f"cohen_kappa needs two ratings of every item, got {len(a)} and {len(b)}")
    n, (first, second), labels = len(a), *_coded([a, b])
    table = np.zeros((labels, labels))
    np.add.at(table, (first, second), 1 / n)
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    agreed, chance = float(np.trace(table)), float(rows @ columns)
    if math.isclose(chance, 1):
        return UNDEFINED
    kappa = (agreed - chance) / (1 - chance)
    both = columns[:, None] + rows[None, :]  # p_.i + p_j.
    on = np.diag(table) @ (1 - (rows + columns) * (1 - kappa)) ** 2
    off = (1 - kappa) ** 2 * float((table * both**2).sum() - np.diag(table) @ np.diag(both) ** 2)
    spread = max(0.0, float(on) + off - (kappa - chance * (1 - kappa)) ** 2) / (1 - chance) ** 2
    return _interval(kappa, spread / n, n, chance, level)


def fleiss_kappa(ratings: Sequence[Sequence[Hashable]], level: float = LEVEL) -> Interval:
    """(kappa, low, high) of an items x raters table without missing ratings (Fleiss 1971).

    Every item has the same number of raters. The standard error is Gwet's (2021, eq. 9). It treats the items
    as a sample; Fleiss's own error holds only for kappa = 0.
    """
    raters = {len(row) for row in ratings}
    if len(raters) != 1 or min(raters) < 2:
        raise ValueError(
            f"fleiss_kappa needs the same number of raters, at least 2, for every item, got {sorted(raters)}"
        )
    counts, m = _counts(ratings), raters.pop()
    n, shares = len(ratings), counts.mean(axis=0) / m
    chance = float(shares @ shares)
    if math.isclose(chance, 1):
        return UNDEFINED
    agreed = (counts * (counts - 1)).sum(axis=1) / (m * (m - 1))  # per item
    kappa = float((agreed.mean() - chance) / (1 - chance))
    own = (agreed - chance) / (1 - chance) - 2 * (1 - kappa) * (counts @ shares / m - chance) / (1 - chance)
    return _interval(kappa, float(((own - kappa) ** 2).sum()) / (n * max(1, n - 1)), n, chance, level)


def krippendorff_alpha(
    ratings: Sequence[Sequence[Any]],
    level: float = LEVEL,
    *,
    scale: Literal["nominal", "interval"] = "nominal",
) -> Interval:
    """(alpha, low, high) of an items x raters table, with None for a missing rating (Krippendorff 2011).

    Items with fewer than two ratings are left out: they show no agreement. ``scale="interval"`` is for
    numbers: the disagreement of two grades is their squared difference. The standard error is the jackknife
    over items (Efron and Stein 1981).
    """
    import numpy as np

    kept = [[value for value in row if value is not None] for row in ratings]
    kept = [row for row in kept if len(row) > 1]
    if not kept:
        return UNDEFINED
    labels = sorted({value for row in kept for value in row}, key=None if scale == "interval" else repr)
    counts = _counts(kept, labels)
    distance = (
        1 - np.eye(len(labels))
        if scale == "nominal"
        else np.subtract.outer(np.array(labels, float), np.array(labels, float)) ** 2
    )
    sizes = counts.sum(axis=1)
    observed = np.einsum("uk,kl,ul->u", counts, distance, counts) / (sizes - 1)  # (items,)
    totals, everything, n = counts.sum(axis=0), float(sizes.sum()), len(kept)

    def alpha(disagreement: Any, totals: Any, everything: Any) -> Any:
        expected = np.einsum("...k,kl,...l->...", totals, distance, totals)
        with np.errstate(divide="ignore", invalid="ignore"):
            return 1 - (everything - 1) * disagreement / expected

    value = float(alpha(observed.sum(), totals, everything))
    if not math.isfinite(value):
        return UNDEFINED  # one label only
    without = alpha(observed.sum() - observed, totals - counts, everything - sizes)  # (items,)
    known = np.where(np.isfinite(without), without, value)
    chance = (
        1 - float(totals @ distance @ totals) / (everything * (everything - 1)) if scale == "nominal" else 0.0
    )
    return _interval(value, (n - 1) / n * float(((known - known.mean()) ** 2).sum()), n, chance, level)


def _interval(value: float, squared_error: float, n: int, chance: float, level: float) -> Interval:
    """Student's interval on Fisher's z; for perfect agreement, the exact lower bound."""
    if value >= 1 - 1e-12:
        least = proportion(n, n, level)[0]
        return 1.0, max(-1.0, (least - chance) / (1 - chance)), 1.0
    if n < 2 or value <= -1:
        return value, -1.0, 1.0
    half = t_quantile((1 + level) / 2, n - 1) * math.sqrt(squared_error) / (1 - value * value)
    return (
        value,
        min(value, math.tanh(math.atanh(value) - half)),
        max(value, math.tanh(math.atanh(value) + half)),
    )


def _coded(columns: Sequence[Sequence[Hashable]]) -> tuple[list[NDArray[Any]], int]:
    """The columns with labels replaced by codes from 0, and the number of labels."""
    import numpy as np

    codes = {
        label: code
        for code, label in enumerate(dict.fromkeys(label for column in columns for label in column))
    }
    return [np.array([codes[label] for label in column]) for column in columns], len(codes)


def _counts(ratings: Sequence[Sequence[Hashable]], labels: Sequence[Hashable] | None = None) -> NDArray[Any]:
    """How often each item was given each label: an array (items, labels)."""
    import numpy as np

    codes = {
        label: code
        for code, label in enumerate(labels or dict.fromkeys(label for row in ratings for label in row))
    }
    counts = np.zeros((len(ratings), len(codes)))
    for item, row in enumerate(ratings):
        for label in row:
            counts[item, codes[label]] += 1
    return counts
