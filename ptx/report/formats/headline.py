"""The short table of a report for terminal and notebook: the runs to look at first, with varied settings as
columns, and what a reader decides on, each value with its interval and a mark.

The baseline comes first, because the marks compare with it; then what the report says to ship, the front,
what is within noise of it, and the best of the others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from html import escape

from ptx.report.decision.decide import Decision
from ptx.report.formats.view import View
from ptx.report.table.frame import SIZE, Frame
from ptx.report.table.labels import VALUE_ONLY, last_part, printable
from ptx.report.table.metric_names import short_name
from ptx.report.table.row import Row
from ptx.report.table.units import NOTHING
from ptx.stats.pareto import Place

LISTED = 20  # rows of the table
MOST_BASELINES = 3  # that come first
LONGEST = 28  # characters of a setting
SECONDS = "latency/request_seconds"
STANDING = {"front": "●", "near": "○"}
RANK = {"front": 2, "near": 3}
NAMES = {SIZE: "size"}
PLACES = {"●": "on the front", "○": "possibly on the front"}
VERDICTS = {
    "▲": "better",
    "▼": "worse",
    "≈": "no difference beyond noise",
    "=": "equal",
    "?": "too few items to say",
}


@dataclass(frozen=True)
class Column:
    """A column; a metric's has the interval of each value beside it, a setting's has none."""

    head: str
    below: str  # the head's second line
    values: list[str]
    intervals: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    spare: bool = False  # left out first where there is no room, as another column says nearly the same

    @property
    def cells(self) -> list[str]:
        """Value, interval and mark as one text."""
        if not self.intervals:
            return self.values
        parts = zip(self.values, self.intervals, self.marks, strict=True)
        return [" ".join(filter(None, cell)) for cell in parts]


@dataclass(frozen=True)
class Headline:
    """The columns, settings first; ``left_out`` counts the rows beyond, ``legend`` explains the marks."""

    columns: list[Column]
    left_out: str
    legend: str

    @property
    def heads(self) -> list[str]:
        """One text per column."""
        return [f"{column.head} ({column.below})" if column.below else column.head for column in self.columns]

    @property
    def rows(self) -> list[list[str]]:
        """One text per cell."""
        return [list(row) for row in zip(*(column.cells for column in self.columns), strict=True)]


def headline(view: View, decision: Decision, places: dict[int, Place], most: int = LISTED) -> Headline:
    """The table of at most ``most`` rows."""
    frame = view.frame
    rows = ordered(frame, decision, places)
    shown = rows[:most]
    marks = [STANDING.get(place.standing, "") if (place := places.get(row.number)) else "" for row in shown]
    columns = [Column("", "", marks)] if any(marks) else []
    columns += _settings(frame, shown)
    if any(row.status != "done" for row in shown):
        columns.append(Column("status", "", [row.status for row in shown]))
    columns += [_metric(view, name, shown) for name in metrics_of(frame)]
    return Headline(columns, _left_out(rows[most:]), _legend(frame, columns, marks))


def _left_out(rows: list[Row]) -> str:
    """``… and 12 more (5 failed)``."""
    states = Counter(row.status for row in rows if row.status != "done")
    counted = ", ".join(f"{count:,} {state}" for state, count in states.items())
    return f"… and {len(rows):,} more" + (f" ({counted})" if counted else "") if rows else ""


def _legend(frame: Frame, columns: list[Column], marks: list[str]) -> str:
    seen = {*marks, *(mark for column in columns for mark in column.marks)}
    places = [f"{mark} {meaning}" for mark, meaning in PLACES.items() if mark in seen]
    verdicts = [f"{mark} {meaning}" for mark, meaning in VERDICTS.items() if mark in seen]
    against = [f"against {frame.reference_name}: {', '.join(verdicts)}"] if verdicts else []
    return "; ".join([", ".join(places), *against]).removeprefix("; ")


def ordered(frame: Frame, decision: Decision, places: dict[int, Place]) -> list[Row]:
    """The rows in the order in which a reader wants them."""
    bases = sum(row.baseline for row in frame.rows)
    first = decision.pick or (decision.matrix.lines[0].row if decision.matrix.lines else None)
    sign = -1.0 if frame.headline and frame.sample(frame.headline).better == "higher" else 1.0

    def key(row: Row) -> tuple[int, float]:
        metric, place = row.metric(frame.headline) if frame.headline else None, places.get(row.number)
        value = sign * metric.value if metric else float("inf")
        if row.baseline and bases <= MOST_BASELINES:
            return 0, row.number
        if row is first:
            return 1, value
        return (RANK.get(place.standing, 4) if place else 4 if row.done else 5), value

    return sorted(frame.rows, key=key)


def metrics_of(frame: Frame) -> list[str]:
    """The metrics of the table, the one that matters most first: the objectives, and the time in seconds."""
    known = [name for name in frame.objectives if name in frame.names]
    if SECONDS in frame.names and SECONDS not in known:
        known.append(SECONDS)
    return known or frame.names[:3]


def _settings(frame: Frame, shown: list[Row]) -> list[Column]:
    """The settings in which runs differ, or the labels where these do not name each run."""
    keys = telling_settings(frame)
    if not keys:
        return [Column("run", "", [row.label for row in shown])]
    short = short_settings(keys)
    columns = [Column(short[key], "", [_setting(row, key) for row in shown]) for key in keys]
    for place, row in enumerate(shown):
        if row.baseline:
            columns[0].values[place] = row.label
    return columns


def short_names(frame: Frame, rows: list[Row]) -> list[str]:
    """The rows by the values of their settings alone: ``dpo · 0.1``; the baselines by their labels."""
    keys = telling_settings(frame)
    values = [[_setting(row, key) for key in keys] if not row.baseline else [] for row in rows]
    names = [" · ".join(value for value in found if value not in ("", NOTHING)) for found in values]
    return [name or row.label for name, row in zip(names, rows, strict=True)]


def telling_settings(frame: Frame) -> list[str]:
    """The settings in which runs differ; none where they do not tell all runs apart."""
    made = [row.records[0].varied for row in frame.rows if not row.baseline]
    keys = dict.fromkeys(key for varied in made for key in varied if key != "seed")
    differ = [key for key in keys if len({varied.get(key) for varied in made}) > 1]
    counts = Counter(tuple(varied.get(key) for key in differ) for varied in made)
    return differ if differ and max(counts.values()) == 1 else []


def short_settings(keys: list[str]) -> dict[str, str]:
    """The last parts of the names, as many as tell them apart."""
    depth, longest = 1, max(key.count(".") + 1 for key in keys)
    names = {key: key for key in keys}
    while depth <= longest:
        counts = Counter(_tail(key, depth) for key in keys)
        for key in keys:
            if names[key] == key and counts[_tail(key, depth)] == 1:
                names[key] = _tail(key, depth)
        depth += 1
    return {key: printable(name) for key, name in names.items()}


def _tail(key: str, parts: int) -> str:
    return ".".join(key.split(".")[-parts:])


def _setting(row: Row, key: str) -> str:
    if row.baseline or key not in row.records[0].varied:
        return ""
    text = row.records[0].varied[key].strip()
    if key in VALUE_ONLY:
        text = last_part(text.strip("[]").replace(" ", "").replace(",", "+")) or NOTHING
    text = printable(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _metric(view: View, name: str, shown: list[Row]) -> Column:
    cells = [view.cell(row, name) for row in shown]
    column = view.column(name)
    counts = "" if column.items == "n = 1" else column.items
    below = ", ".join(filter(None, [column.unit, counts]))
    intervals = ["" if cell.interval == "exact" else cell.interval for cell in cells]
    values, marks = [cell.value or NOTHING for cell in cells], [cell.mark for cell in cells]
    return Column(
        NAMES.get(name) or short_name(name),
        below,
        values,
        intervals,
        marks,
        name not in view.frame.objectives,
    )


def table_html(heads: list[str], rows: list[list[str]], caption: str = "") -> str:
    """A plain table for a notebook; every text is escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    below = f"<p>{escape(caption)}</p>" if caption else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"
