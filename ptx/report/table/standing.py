"""Which rows are on the front of some objectives, and which row dominates each of the others.

The intervals of two rows decide (:mod:`ptx.stats.pareto`), with two additions from the records. A rival
that is worse by a comparison item by item dominates nothing, even if the two intervals overlap: else a row
could be marked as worse in the table and as dominating in the picture. And times that were measured in
sessions of their own say nothing about other rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ptx.records import Metric
from ptx.report.table.compare import NEGLIGIBLE, difference_of, is_time
from ptx.report.table.frame import Frame
from ptx.report.table.row import Row
from ptx.stats.pareto import Place, Value, places


def places_of(frame: Frame, names: Sequence[str], families: int = 1) -> dict[int, Place]:
    """Row number -> its place among the rows that are done; :attr:`Place.by` is a row number too.

    ``names`` are the metrics of the objectives, ``families`` the number of fronts in the report. The frame
    keeps the result, as the table, the cards and the pictures ask for the same.
    """
    known = tuple(names), families
    if known not in frame.places:
        frame.places[known] = _places_of(frame, names, families)
    found: dict[int, Place] = frame.places[known]
    return found


def _places_of(frame: Frame, names: Sequence[str], families: int) -> dict[int, Place]:
    rows = [row for row in frame.rows if row.done]
    alone = {name for name in names if is_time(name) and any(row.measured_alone for row in rows)}

    def worse(rival: int, point: int) -> bool:
        return any(_is_worse(rows[rival], rows[point], name) for name in names if name not in alone)

    points = [[_value(row.metric(name), unknown=name in alone) for name in names] for row in rows]
    found = places(
        points,
        [frame.sample(name).better for name in names],
        worse=worse,
        negligible=NEGLIGIBLE,
        families=families,
    )
    return {
        row.number: Place(place.standing, None if place.by is None else rows[place.by].number)
        for row, place in zip(rows, found, strict=True)
    }


def _value(metric: Metric | None, *, unknown: bool) -> Value | None:
    if metric is None:
        return None
    low, high = (-math.inf, math.inf) if unknown else (metric.low, metric.high)
    return Value(metric.value, low, high, metric.n)


def _is_worse(rival: Row, row: Row, name: str) -> bool:
    """Whether the rival is worse on a metric by its own 95 % interval, or cannot be compared on it."""
    one = difference_of(rival, row, (name, ""))
    return one is None or one.verdict in ("worse", "too few")
