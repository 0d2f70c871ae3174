"""Every row against its baseline, metric by metric.

Paired by item wherever the metric is a mean of item scores, or where the baseline was measured in turns with
the artifact; from the two intervals otherwise, exactly for what is exact. The p-values are Holm-corrected
over the rows that are compared with one baseline, per metric and segment; so "12 runs, one of them better" is
not what chance alone would give.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from ptx.records import Metric
from ptx.report.table.baseline import served
from ptx.report.table.frame import Frame
from ptx.report.table.pairing import Key
from ptx.report.table.row import RATIO, Row, bare
from ptx.stats import (
    FRACTIONS,
    Difference,
    JoinError,
    Verdict,
    corrected,
    paired_across_seeds,
    unpaired_difference,
)

NEGLIGIBLE = 0.005
SAME = "latency/same_ratio"
How = Literal["paired", "turns", "unpaired", "exact"]
MARKS: dict[Verdict, str] = {"better": "▲", "worse": "▼", "same": "≈"}


@dataclass(frozen=True)
class Comparison:
    """A difference, and how it was found."""

    difference: Difference
    how: How

    @property
    def verdict(self) -> Verdict:
        """better, worse or same."""
        return self.difference.verdict

    @property
    def mark(self) -> str:
        """▲ better, ▼ worse, ≈ no difference beyond noise."""
        return "=" if self.how == "exact" and self.verdict == "same" else MARKS[self.verdict]


Comparisons = dict[tuple[int, str, str], Comparison]  # row number, metric, segment


def difference_of(row: Row, other: Row, key: Key) -> Comparison | None:
    """Row minus other; None when one of them lacks the metric, or was measured on other items."""
    a, b = row.metric(*key), other.metric(*key)
    if a is None or b is None or not _comparable(row, other, key, a.unit):
        return None
    if _exact(a) and _exact(b):
        return Comparison(_exact_difference(a, b), "exact")
    if key[0] == RATIO and row.turned is other:
        return Comparison(_from_one(a), "turns")
    turns = row.in_turns(key) if row.turned is other else None
    if turns:
        return Comparison(paired_across_seeds(*turns, a.better), "turns")
    return _by_item(row, other, key, a, b)


def _comparable(row: Row, other: Row, key: Key, unit: str) -> bool:
    """Whether two measurements of a metric can say anything of two models."""
    if key[0] == SAME:  # a noise floor is of its own sitting
        return False
    if (row.as_it_is or other.as_it_is) and bare(key[0]).startswith("latency/") and unit != "bytes":
        return False  # times of two sittings: a busy hour would look like a slow model
    return key[0] != RATIO or served(row.records[0]) == served(
        other.records[0]
    )  # else ratios to different things


def _by_item(row: Row, other: Row, key: Key, a: Metric, b: Metric) -> Comparison | None:
    """Paired where both have the items' scores; None where they have other items, as that is no difference of
    the models.
    """
    ours, theirs = row.scores(key), other.scores(key)
    if ours and theirs:
        try:
            weights, clusters = row.column(key, "weight"), row.column(key, "cluster")
            paired = paired_across_seeds(
                ours, theirs, a.better, weights=weights, clusters=clusters, span=span_of(a)
            )
        except JoinError:
            return None
        if paired.n > 1:
            return Comparison(paired, "paired")
    return Comparison(unpaired_difference(a, b), "unpaired")


def _from_one(ratio: Metric) -> Difference:
    """A ratio to the baseline is held against 1, not against the ratio that the baseline's own run had to
    itself.
    """
    found = unpaired_difference(ratio, replace(ratio, value=1.0, low=1.0, high=1.0))
    return replace(found, low=ratio.low - 1, high=ratio.high - 1)


def span_of(metric: Metric) -> tuple[float, float] | None:
    """The least and the greatest score that an item can have, where the unit says so."""
    return (0.0, 1.0) if metric.unit in FRACTIONS else None


def _exact_difference(a: Metric, b: Metric) -> Difference:
    """A few bytes more in a JSON file are a difference, but neither better nor worse."""
    found = unpaired_difference(a, b)
    return replace(found, p=1.0) if abs(found.value) < NEGLIGIBLE * abs(b.value) else found


def _exact(metric: Metric) -> bool:
    return metric.low == metric.value == metric.high


def compare_all(frame: Frame) -> Comparisons:
    """All rows that have a baseline, all metrics that both have."""
    keys = dict.fromkeys(key for row in frame.rows for key in row.metrics)
    found: Comparisons = {}
    for key in keys:
        family = {
            row.number: one
            for row in frame.rows
            if row.reference and (one := difference_of(row, row.reference, key))
        }
        found |= {(number, *key): one for number, one in corrected_family(family).items()}
    return found


def corrected_family(family: dict[int, Comparison]) -> dict[int, Comparison]:
    """Holm over the comparisons that noise can fool; exact ones need none."""
    noisy = {number: one for number, one in family.items() if one.how != "exact"}
    fixed = corrected([one.difference for one in noisy.values()])
    return family | {
        number: Comparison(new, one.how) for (number, one), new in zip(noisy.items(), fixed, strict=True)
    }


def indistinguishable(frame: Frame, best: Row, name: str) -> list[Row]:
    """The rows that cannot be told from ``best`` on a metric."""
    others = {row.number: row for row in frame.rows if row is not best}
    family = {number: one for number, row in others.items() if (one := difference_of(row, best, (name, "")))}
    return [others[number] for number, one in corrected_family(family).items() if one.verdict == "same"]


def count(verdicts: Iterable[Verdict], wanted: Verdict) -> int:
    """How many of them are that."""
    return sum(verdict == wanted for verdict in verdicts)
