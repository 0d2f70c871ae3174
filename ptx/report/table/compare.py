"""Comparisons of every row with its reference, metric by metric.

A comparison is paired by item if the metric is a mean of item scores, or if the baseline was measured in
turns with the artifact. Otherwise it is computed from the two intervals; exact values are compared exactly.
The p-values are Holm-corrected over all rows, per metric and segment. So "12 runs, one of them better" is not
a result that chance alone would give.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from ptx.records import Metric
from ptx.report.table.baseline import baseline_identity
from ptx.report.table.frame import Frame
from ptx.report.table.pairing import Key
from ptx.report.table.row import RATIO, Row, without_machine
from ptx.stats import (
    FRACTIONS,
    Difference,
    JoinError,
    Verdict,
    corrected,
    paired_across_seeds,
    unpaired_difference,
)

#: an exact difference below this share of the baseline is neither better nor worse
NEGLIGIBLE = 0.005
NOISE_FLOOR = "latency/same_ratio"
How = Literal["paired", "turns", "unpaired", "exact"]
MARKS: dict[Verdict, str] = {"better": "▲", "worse": "▼", "same": "≈"}


@dataclass(frozen=True)
class Comparison:
    """A difference, and how it was computed."""

    difference: Difference
    how: How

    @property
    def verdict(self) -> Verdict:
        """The verdict of the difference."""
        return self.difference.verdict

    @property
    def mark(self) -> str:
        """▲ better, ▼ worse, ≈ no difference beyond noise, = exactly compared and equal within 0.5 %."""
        return "=" if self.how == "exact" and self.verdict == "same" else MARKS[self.verdict]


Comparisons = dict[tuple[int, str, str], Comparison]  # row number, metric, segment


def difference_of(row: Row, other: Row, key: Key) -> Comparison | None:
    """Row minus other; None if one of them lacks the metric, or the two cannot be compared on it."""
    a, b = row.metric(*key), other.metric(*key)
    if a is None or b is None or not _comparable(row, other, key, a.unit):
        return None
    if _exact(a) and _exact(b):
        return Comparison(_exact_difference(a, b), "exact")
    if key[0] == RATIO and row.measured_beside is other:
        return Comparison(_difference_from_one(a), "turns")
    turns = row.scores_in_turns(key) if row.measured_beside is other else None
    if turns:
        return Comparison(paired_across_seeds(*turns, a.better), "turns")
    return _by_item(row, other, key, a, b)


def _comparable(row: Row, other: Row, key: Key, unit: str) -> bool:
    """Whether a difference of two measurements of the metric says something about the two models."""
    if key[0] == NOISE_FLOOR:  # describes one measuring session, not a model
        return False
    time = without_machine(key[0]).startswith("latency/") and unit != "bytes"
    if time and (row.measured_alone or other.measured_alone):
        return False  # times of two sessions: a busy machine in one of them would look like a slow model
    # ratios to different baselines are not comparable
    return key[0] != RATIO or baseline_identity(row.records[0]) == baseline_identity(other.records[0])


def _by_item(row: Row, other: Row, key: Key, a: Metric, b: Metric) -> Comparison | None:
    """A paired comparison if both rows have item scores, else an unpaired one; None if their items differ."""
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


def _difference_from_one(ratio: Metric) -> Difference:
    """The difference of a ratio from 1.

    A ratio to the baseline is compared with 1, not with the measured ratio of the baseline to itself.
    """
    found = unpaired_difference(ratio, replace(ratio, value=1.0, low=1.0, high=1.0))
    return replace(found, low=ratio.low - 1, high=ratio.high - 1)


def span_of(metric: Metric) -> tuple[float, float] | None:
    """The least and the greatest score that an item can have; None if the unit does not tell."""
    return (0.0, 1.0) if metric.unit in FRACTIONS else None


def _exact_difference(a: Metric, b: Metric) -> Difference:
    """The difference of exact values; one below :data:`NEGLIGIBLE` (a few bytes of JSON) gets p = 1."""
    found = unpaired_difference(a, b)
    return replace(found, p=1.0) if abs(found.value) < NEGLIGIBLE * abs(b.value) else found


def _exact(metric: Metric) -> bool:
    return metric.low == metric.value == metric.high


def compare_all(frame: Frame) -> Comparisons:
    """The comparisons of all rows with their references, on all metrics that both have."""
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
    """The comparisons with Holm's p-values; exact ones have no noise and stay as they are."""
    noisy = {number: one for number, one in family.items() if one.how != "exact"}
    fixed = corrected([one.difference for one in noisy.values()])
    return family | {
        number: Comparison(new, one.how) for (number, one), new in zip(noisy.items(), fixed, strict=True)
    }


def indistinguishable(frame: Frame, best: Row, name: str) -> list[Row]:
    """The rows that do not differ from ``best`` on a metric beyond noise."""
    others = {row.number: row for row in frame.rows if row is not best}
    family = {number: one for number, row in others.items() if (one := difference_of(row, best, (name, "")))}
    return [others[number] for number, one in corrected_family(family).items() if one.verdict == "same"]


def count(verdicts: Iterable[Verdict], wanted: Verdict) -> int:
    """How many of the verdicts are ``wanted``."""
    return sum(verdict == wanted for verdict in verdicts)
