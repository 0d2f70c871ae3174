"""The leaders of a report: best, smallest and fastest, each with the rows that may be as good.

A leader was chosen by its value, so luck is a part of its lead. So a leader is *sure* only if it is
measurably ahead: the best one of every other row, corrected for all pairs of rows; the fastest one of the
row that it is compared with. Sizes are exact: the smallest row is smaller than its reference by more than
0.5 %, and not measurably worse than it. Of identical models none is a sure leader in 95 % of reports.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ptx.records import Metric
from ptx.report.table.compare import NEGLIGIBLE, Comparisons, indistinguishable, is_time
from ptx.report.table.frame import SIZE, Frame
from ptx.report.table.row import Row

Kind = Literal["best", "smallest", "fastest"]


@dataclass(frozen=True)
class Leader:
    """The row with the best value, the metric, and the rows that may be as good.

    ``peers`` are not measurably different from it, ``few`` have too few items to say. ``sure`` says
    whether the claim "the best" (smallest, fastest) is supported.
    """

    kind: Kind
    row: Row
    metric: Metric
    sure: bool
    peers: list[Row] = field(default_factory=list)
    few: list[Row] = field(default_factory=list)


def ranked(frame: Frame, name: str) -> list[tuple[Row, Metric]]:
    """The rows that have the metric, with it; the best first."""
    found = [(row, metric) for row in frame.rows if (metric := row.metric(name))]
    more = bool(found) and found[0][1].better == "higher"
    return sorted(found, key=lambda pair: pair[1].value, reverse=more)


def best(frame: Frame) -> Leader | None:
    """The row with the best headline metric."""
    order = ranked(frame, frame.headline) if frame.headline else []
    if not order or frame.headline is None:
        return None
    (row, metric), found = order[0], indistinguishable(frame, order[0][0], frame.headline)
    sure = len(order) > 1 and not found["same"] and not found["too few"]
    return Leader("best", row, metric, sure, found["same"], found["too few"])


def keeps_quality(frame: Frame, comparisons: Comparisons, row: Row) -> bool:
    """Whether a row is not worse than its reference on the headline; the baseline never is.

    A row without a comparison, or with too few items for one, does not count as keeping its quality.
    """
    if not frame.headline or row.metric(frame.headline) is None:
        return False
    one = comparisons.get((row.number, frame.headline, ""))
    return row.reference is None if one is None else one.verdict in ("better", "same")


def smallest(frame: Frame, comparisons: Comparisons) -> Leader | None:
    """The smallest row that keeps its quality; among equally small ones, that with the best headline."""
    if SIZE not in frame.names or frame.headline is None:
        return None
    kept = [pair for pair in ranked(frame, SIZE) if keeps_quality(frame, comparisons, pair[0])]
    if not kept:
        return None
    least = {row.number for row, metric in kept if metric.value == kept[0][1].value}
    order = [row for row, _ in ranked(frame, frame.headline) if row.number in least]
    row, metric = order[0], kept[0][1]
    base = row.reference.metric(SIZE) if row.reference else None
    sure = base is not None and metric.value < base.value * (1 - NEGLIGIBLE)
    return Leader("smallest", row, metric, sure, order[1:])


def fastest(frame: Frame, comparisons: Comparisons) -> Leader | None:
    """The row with the least latency; not sure if it is not measurably faster than its reference.

    None if no latency can be compared: each model was measured in a session of its own.
    """
    name = frame.cost
    order = ranked(frame, name) if name else []
    if not order or name is None or times_apart(frame):
        return None
    row, metric = order[0]
    one = comparisons.get((row.number, name, ""))
    sure = row.reference is not None and one is not None and one.verdict == "better"
    found = indistinguishable(frame, row, name)
    return Leader("fastest", row, metric, sure, found["same"], found["too few"])


def times_apart(frame: Frame) -> bool:
    """Whether a row's times were measured in a session of its own, so that no two rows can be compared."""
    name = frame.cost
    return (
        name is not None
        and is_time(name)
        and any(row.measured_alone for row in frame.rows if row.metric(name))
    )
