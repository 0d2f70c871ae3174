"""Comparisons of every row with its reference, metric by metric.

A comparison is paired by item if the metric is a mean of item scores, or if the baseline was measured in
turns with the artifact. Otherwise it is computed from the two intervals; exact values are compared exactly.
The p-values are Holm-corrected: over all rows per metric, over the objectives of the report together
(quality, latency and size, on which a reader decides), and over all its segments together. So "12 runs, one
of them better" is not a result that chance alone would give.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from ptx.records import Better, Metric
from ptx.report.table.baseline import baseline_identity
from ptx.report.table.frame import Frame
from ptx.report.table.pairing import Key
from ptx.report.table.row import RATIO, Row, without_machine
from ptx.stats import (
    Difference,
    JoinError,
    Verdict,
    corrected,
    holm,
    paired_across_seeds,
    span_of,
    unpaired_difference,
)
from ptx.stats.unpaired import unpaired_differences

#: an exact difference below this share of the baseline is neither better nor worse
NEGLIGIBLE = 0.005
LATENCY = "latency/"
NOISE_FLOOR, REQUEST = "latency/same_ratio", "latency/request_seconds"
UNPAIRED: Literal["unpaired"] = "unpaired"
How = Literal["paired", "turns", "unpaired", "exact"]
MARKS: dict[Verdict, str] = {"better": "▲", "worse": "▼", "same": "≈", "too few": "?"}


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
        """▲ better, ▼ worse, ≈ no difference beyond noise, ? too few items, = exact, within 0.5 %."""
        return "=" if self.how == "exact" and self.verdict == "same" else MARKS[self.verdict]


Comparisons = dict[tuple[int, str, str], Comparison]  # row number, metric, segment
Place = TypeVar("Place")


def difference_of(row: Row, other: Row, key: Key) -> Comparison | None:
    """Row minus other; None if one of them lacks the metric, or the two cannot be compared on it.

    Two rows are compared once per metric: the table, the best set, the fronts and the gates share the result.
    """
    return differences_of([(row, other)], key)[0]


def differences_of(pairs: Sequence[tuple[Row, Row]], key: Key) -> list[Comparison | None]:
    """:func:`difference_of` each pair on one metric; those from two intervals are computed together."""
    left: list[tuple[Row, Row]] = []
    plain = not key[0].startswith(LATENCY)
    for row, other in pairs:
        place = id(other), key
        if place not in row.compared:
            bare = plain and row.is_bare(key)  # nearly all of 200,000 comparisons are
            found = _from_values(row, other, key) if bare else _without_intervals(row, other, key)
            row.compared[place] = found
            if found is UNPAIRED:
                left.append((row, other))
    gaps = unpaired_differences([(row.metrics[key], other.metrics[key]) for row, other in left])
    for (row, other), gap in zip(left, gaps, strict=True):
        row.compared[id(other), key] = Comparison(gap, "unpaired")
    return [row.compared[id(other), key] for row, other in pairs]


def _from_values(row: Row, other: Row, key: Key) -> Comparison | Literal["unpaired"] | None:
    """A comparison of two exact values; UNPAIRED if one of them has an interval."""
    a, b = row.metric(*key), other.metric(*key)
    if a is None or b is None:
        return None
    return Comparison(_exact_difference(a, b), "exact") if _exact(a) and _exact(b) else UNPAIRED


def _without_intervals(row: Row, other: Row, key: Key) -> Comparison | Literal["unpaired"] | None:
    """A comparison that needs more, or less, than the two intervals; UNPAIRED if they are all there is."""
    a, b = row.metric(*key), other.metric(*key)
    if a is None or b is None or not _comparable(row, other, key, a.unit):
        return None
    if _exact(a) and _exact(b):
        return Comparison(_exact_difference(a, b), "exact")
    if key[0] == RATIO and row.measured_beside is other:
        return Comparison(_difference_from_one(a), "turns")
    turns = row.scores_in_turns(key) if row.measured_beside is other else None
    if turns:
        return _beside_ratio(Comparison(paired_across_seeds(*turns, a.better), "turns"), row, key)
    if is_time(key[0]) and key[0] != RATIO and _measured_in_turns(row, other):
        return None  # the ratio, measured in turns, is the comparison; two times from two moments are none
    return _by_item(row, other, key, a.better, a.unit)


@functools.cache
def is_time(name: str) -> bool:
    """Whether a metric depends on how busy the machine was: all of latency but memory."""
    return without_machine(name).startswith(LATENCY) and "bytes" not in name


def _measured_in_turns(row: Row, other: Row) -> bool:
    """Whether ratios compare the two: one was measured beside the other, or both beside the same model."""
    measured = [one for one in (row, other) if one.metric(RATIO) is not None and not one.measured_alone]
    beside = {baseline_identity(one.records[0]) for one in measured}
    return any(one.measured_beside in (row, other) for one in measured) or len(measured) > len(beside)


def _beside_ratio(one: Comparison, row: Row, key: Key) -> Comparison:
    """The difference of the median request, as sure as the ratio of the same requests at most.

    Both tell of the same measurements; a reader must not see "faster" by one and "the same" by the other.
    """
    ratio = row.metric(RATIO)
    if without_machine(key[0]) != REQUEST or ratio is None:
        return one
    other = _difference_from_one(ratio)
    opposite = (other.value > 0) != (one.difference.value > 0)
    p = 1.0 if opposite or other.tied else max(one.difference.p, other.p)
    return Comparison(one.difference.with_p(p), one.how)


def _comparable(row: Row, other: Row, key: Key, unit: str) -> bool:
    """Whether a difference of two measurements of the metric says something about the two models."""
    if not key[0].startswith(LATENCY):
        return True
    if key[0] == NOISE_FLOOR:  # describes one measuring session, not a model
        return False
    if is_time(key[0]) and unit != "bytes" and (row.measured_alone or other.measured_alone):
        return False  # times of two sessions: a busy machine in one of them would look like a slow model
    # ratios to different baselines are not comparable
    return key[0] != RATIO or baseline_identity(row.records[0]) == baseline_identity(other.records[0])


def _by_item(
    row: Row, other: Row, key: Key, better: Better, unit: str
) -> Comparison | Literal["unpaired"] | None:
    """A paired comparison if both rows have item scores, else UNPAIRED; None if their items differ."""
    ours, theirs = row.scores(key), other.scores(key)
    if ours and theirs:
        try:
            weights, clusters = row.column(key, "weight"), row.column(key, "cluster")
            paired = paired_across_seeds(
                ours, theirs, better, weights=weights, clusters=clusters, span=span_of(unit)
            )
        except JoinError:
            return None
        if paired.n > 1:
            return Comparison(paired, "paired")
    return UNPAIRED


def _difference_from_one(ratio: Metric) -> Difference:
    """The difference of a ratio from 1.

    A ratio to the baseline is compared with 1, not with the measured ratio of the baseline to itself.
    """
    found = unpaired_difference(ratio, replace(ratio, value=1.0, low=1.0, high=1.0))
    return replace(found, low=ratio.low - 1, high=ratio.high - 1)


def _exact_difference(a: Metric, b: Metric) -> Difference:
    """The difference of exact values; one below :data:`NEGLIGIBLE` (a few bytes of JSON) gets p = 1."""
    value, n = a.value - b.value, min(a.n, b.n)
    p = 1.0 if value == 0 or abs(value) < NEGLIGIBLE * abs(b.value) else 0.0
    return Difference(value, value, value, n, p, a.better, 0.0, max(1.0, n - 1.0))


def _exact(metric: Metric) -> bool:
    return metric.low == metric.value == metric.high


def compare_all(frame: Frame) -> Comparisons:
    """The comparisons of all rows with their references, on all metrics that both have.

    The objectives are one family of Holm's correction, every other metric over all items is one, and all
    segments are one, because a reader looks through them for whatever stands out.
    """
    keys = dict.fromkeys(key for row in frame.rows for key in row.metrics)
    objectives = [(name, "") for name in frame.objectives]
    families = [objectives, *([key] for key in keys if not key[1] and key not in objectives)]
    found: Comparisons = {}
    for family in [*families, [key for key in keys if key[1]]]:
        found |= corrected_family(_compared(frame, family))
    return found


def _compared(frame: Frame, keys: Iterable[Key]) -> Comparisons:
    pairs = [(row, row.reference) for row in frame.rows if row.reference]
    return {
        (row.number, *key): one
        for key in keys
        for (row, _), one in zip(pairs, differences_of(pairs, key), strict=True)
        if one
    }


def corrected_family(family: dict[Place, Comparison]) -> dict[Place, Comparison]:
    """The comparisons with Holm's p-values; exact ones have no noise and stay as they are.

    Comparisons over too few items are no tests, as they can never claim anything.
    """
    tests = {place: one for place, one in family.items() if one.how != "exact" and not one.difference.too_few}
    fixed = corrected([one.difference for one in tests.values()])
    return family | {
        place: Comparison(new, one.how) for (place, one), new in zip(tests.items(), fixed, strict=True)
    }


def indistinguishable(frame: Frame, best: Row, name: str) -> dict[Verdict, list[Row]]:
    """The rows that may be as good as ``best``, the row with the best value of a metric.

    ``best`` was chosen by its value, so luck is a part of its lead: compared at 5 % each, an identical model
    would be left out far more often. A row is left out only if the difference would be found among all
    pairs of rows (Holm's correction for that many): then no identical model is left out in 95 % of reports,
    whichever comes first. The result has these rows under "same", and those with too few items to say under
    "too few".
    """
    others = {row.number: row for row in frame.rows if row is not best}
    gaps = differences_of([(row, best) for row in others.values()], (name, ""))
    found = {number: one for number, one in zip(others, gaps, strict=True) if one}
    noisy = {number: one for number, one in found.items() if one.how != "exact"}
    rows = len(noisy) + 1
    ps = holm([one.difference.p for one in noisy.values()], rows * (rows - 1) // 2)
    for (number, one), p in zip(noisy.items(), ps, strict=True):
        found[number] = Comparison(one.difference.with_p(p), one.how)
    verdicts: tuple[Verdict, ...] = ("same", "too few")
    return {
        wanted: [others[number] for number, one in found.items() if one.verdict == wanted]
        for wanted in verdicts
    }


def count(verdicts: Iterable[Verdict], wanted: Verdict) -> int:
    """How many of the verdicts are ``wanted``."""
    return sum(verdict == wanted for verdict in verdicts)
