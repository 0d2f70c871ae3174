"""Which rows a page shows, when there are more than a reader can look at.

A page of ten thousand rows is read by nobody and opens in no browser. So a page shows the baselines, the
front, what is possibly on the front, and then the best of the headline, up to a limit. All rows are in
report.csv and report.json.
"""

from __future__ import annotations

from ptx.report.table.frame import Frame
from ptx.report.table.row import Row
from ptx.report.table.standing import places_of

MOST_ROWS = 200  # rows of a table of the page


def shown_rows(frame: Frame, limit: int = MOST_ROWS) -> list[Row]:
    """At most ``limit`` rows, in the order of the frame."""
    if len(frame.rows) <= limit:
        return frame.rows
    places = places_of(frame, frame.objectives) if frame.objectives else {}
    rank = {"front": 1, "near": 2}

    def order(row: Row) -> tuple[int, float]:
        place, metric = places.get(row.number), row.metric(frame.headline) if frame.headline else None
        first = 0 if row.baseline else rank.get(place.standing, 3) if place else 4
        sign = -1 if metric and metric.better == "higher" else 1
        return first, sign * metric.value if metric else float("inf")

    kept = {row.number for row in sorted(frame.rows, key=order)[:limit]}
    return [row for row in frame.rows if row.number in kept]


def rows_left_out(frame: Frame, shown: list[Row]) -> str:
    """A sentence on the rows that are not shown; empty if all are."""
    if len(shown) == len(frame.rows):
        return ""
    return (
        f"{len(shown)} of {len(frame.rows):,} rows are shown: the baseline, the front, what is near it, and"
        " the best of the others. All are in report.csv and report.json."
    )
