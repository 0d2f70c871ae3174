"""The tables of a report as plain values, which the Markdown and HTML formats write."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ptx.records import Metric
from ptx.report.table.compare import Comparison, Comparisons, compare_all
from ptx.report.table.frame import Frame
from ptx.report.table.metric_names import column_head
from ptx.report.table.row import Row
from ptx.report.table.shown import shown_rows
from ptx.report.table.units import NOTHING, Scale, interval_text, metric_text, ratio_text, scale_of
from ptx.report.text.cautions import falling_segments
from ptx.stats import minimum_detectable_effect

RATIOS = {
    "size/bytes_on_disk": ("smaller", "larger"),
    "size/parameters": ("smaller", "larger"),
    "size/nonzero_parameters": ("smaller", "larger"),
    "latency/request_ratio": ("faster", "slower"),
    "latency/request_seconds": ("faster", "slower"),
    "latency/p95_seconds": ("faster", "slower"),
    "latency/prefill_seconds": ("faster", "slower"),
    "latency/peak_memory_bytes": ("less", "more"),
}
VERDICT_WORDS = {
    "better": "better than",
    "worse": "worse than",
    "same": "tied with (no difference beyond noise)",
    "too few": "too few items to compare with",
}
HOW_WORDS = {
    "paired": "paired by item",
    "turns": "measured in turns",
    "unpaired": "from the two intervals",
    "exact": "exact",
}


@dataclass(frozen=True)
class Column:
    """One metric, or one metric in one segment."""

    name: str
    segment: str
    group: str
    title: str
    unit: str
    better: str
    items: str  # "n = 300"
    scale: Scale


@dataclass(frozen=True)
class Cell:
    """A value with its interval, n and comparison, as text; all empty if it was not measured."""

    value: str = ""
    interval: str = ""
    full: str = ""  # with interval, n and unit, on one line
    note: str = ""  # the full text and the comparison, for a tooltip
    delta: str = ""
    verdict: str = ""
    mark: str = ""
    ratio: str = ""
    sort: float | None = None
    gap: float | None = None  # the difference as a number
    heat: int = 0


@dataclass(frozen=True)
class Line:
    """A line of a table: one row of the frame."""

    row: Row
    cells: list[Cell]
    delta: Cell = field(default_factory=Cell)


@dataclass(frozen=True)
class Table:
    """A titled table."""

    title: str
    columns: list[Column]
    lines: list[Line]


class View:
    """The cells and tables of a frame; a metric has the same scale in the whole report."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.comparisons: Comparisons = compare_all(frame)
        self.rows = shown_rows(frame)
        self._cells: dict[tuple[int, str, str], Cell] = {}
        self.scales = {name: scale_of(frame.sample(name).unit, frame.values(name)) for name in self._names()}

    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.frame.rows for name, _ in row.metrics))

    def cell(self, row: Row, name: str, segment: str = "") -> Cell:
        """The cell of a row's metric, over all items or in one segment."""
        place = row.number, name, segment
        if place not in self._cells:
            self._cells[place] = self._cell(row, name, segment)
        return self._cells[place]

    def _cell(self, row: Row, name: str, segment: str) -> Cell:
        metric = row.metrics.get((name, segment))
        if metric is None:
            return Cell()
        scale = self.scales[name]
        full = metric_text(metric, scale)
        if row.metric(name, segment) is None:
            return Cell(NOTHING, full=full, note=full)
        full_note = f"{full}\n{metric.note}" if metric.note else full
        one = self.comparisons.get((row.number, name, segment))
        interval = interval_text(metric, scale)
        delta = self._delta(one, scale) if one else ""
        note = self._note(row, one, scale, full_note) if one else full_note
        verdict, mark = (one.verdict, one.mark) if one else ("", "")
        gap = one.difference.value if one else None
        return Cell(
            scale.number(metric.value),
            interval,
            full,
            note,
            delta,
            verdict,
            mark,
            self._ratio(row, metric, interval),
            metric.value,
            gap,
        )

    def _delta(self, one: Comparison, scale: Scale) -> str:
        scale = scale.finer(one.difference.low, one.difference.high)
        gap = scale.text(one.difference.value, sign=True)
        if one.how == "exact":
            return gap
        return f"{gap} {scale.interval(one.difference.low, one.difference.high, sign=True)}"

    def _note(self, row: Row, one: Comparison, scale: Scale, full: str) -> str:
        base = row.reference.label if row.reference else ""
        words = "equal to (within 0.5 %)" if one.mark == "=" else VERDICT_WORDS[one.verdict]
        p = "" if one.how == "exact" else f", Holm-corrected p={one.difference.p:.2g}"
        return (
            f"{full}\n{words} {base}: {self._delta(one, scale)}, {HOW_WORDS[one.how]}{p},"
            f" n={one.difference.n}{self._detectable(one, scale)}"
        )

    def _detectable(self, one: Comparison, scale: Scale) -> str:
        """For a tie: the smallest true difference that would be found in four of five cases."""
        gap = one.difference
        if one.verdict != "same" or one.how == "exact" or not math.isfinite(gap.error):
            return ""
        found = minimum_detectable_effect(gap.error, gap.freedom)
        bounds = f"; {gap.unscored} items without a score" if gap.unscored else ""
        bounds += f", which could change it to {scale.interval(*gap.bounds, sign=True)}" if gap.bounds else ""
        return f"; a difference of {scale.text(found)} would be found in 80 % of cases{bounds}"

    def _ratio(self, row: Row, metric: Metric, interval: str) -> str:
        """The ratio of exact values to the reference's, shown in place of an interval."""
        base = row.reference.metric(metric.name, metric.segment) if row.reference else None
        if base is None or interval != "exact" or metric.name not in RATIOS:
            return ""
        return ratio_text(metric.value, base.value, *RATIOS[metric.name])

    def column(self, name: str, segment: str = "") -> Column:
        """The column of a metric, over all items or in one segment."""
        metric = next(row.metrics[name, segment] for row in self.frame.rows if (name, segment) in row.metrics)
        counts = sorted(
            {row.metrics[name, segment].n for row in self.frame.rows if (name, segment) in row.metrics}
        )
        items = f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"
        group, title = column_head(name)
        if segment:
            # the group names the task; a metric without a task is named in full
            whole = f"{group} {title}" if name.count("/") == 1 else group
            group = whole.removeprefix("bench · ").replace(" · ", " ").strip()
            title = segment.partition("=")[2]
        return Column(
            name, segment, group, title, self.scales[name].suffix, metric.better, items, self.scales[name]
        )

    def main(self) -> Table:
        """The main table: one line per row of the frame."""
        columns = [self.column(name) for name in self.frame.columns]
        return Table("Results", columns, [self._line(row, columns) for row in self.rows])

    def _line(self, row: Row, columns: list[Column]) -> Line:
        cells = [self.cell(row, column.name, column.segment) for column in columns]
        return Line(row, cells, self.cell(row, self.frame.headline) if self.frame.headline else Cell())

    def cells_of(self, row: Row) -> list[tuple[str, str, Cell]]:
        """(Name, segment, cell) of all metrics of a row."""
        return [(name, segment, self.cell(row, name, segment)) for name, segment in row.metrics]

    def segments(self) -> list[Table]:
        """One table per dimension (skill, language, ...).

        Its columns are the first metric of each task; of evaluators without tasks, the main table's metrics.
        """
        return [table for dimension in self.frame.segments() if (table := self._segment(dimension)).columns]

    def _segment(self, dimension: str) -> Table:
        keys = dict.fromkeys(
            key for row in self.frame.rows for key in row.metrics if key[1].partition("=")[0] == dimension
        )
        shown = self.frame.columns
        order = {
            name: index
            for index, name in enumerate(self.frame.primary)
            if name.count("/") > 1 or name in shown
        }
        # a fall that a sentence tells of must stand in the table
        told = {one.key for one in falling_segments(self.frame, self.comparisons)}
        chosen = sorted(
            (key for key in keys if key[0] in order or key in told),
            key=lambda key: order.get(key[0], len(order)),
        )
        columns = [self.column(*key) for key in chosen]
        lines = [self._line(row, columns) for row in self.rows if row.done]
        return Table(dimension, columns, self._heated(lines, columns))

    def _heated(self, lines: list[Line], columns: list[Column]) -> list[Line]:
        """The lines with a shade per cell: the difference from the reference, in three steps each way.

        The steps are relative to the largest difference of the table.
        """
        gaps = {
            (line.row.number, index): one.difference.value * (1 if column.better == "higher" else -1)
            for line in lines
            for index, column in enumerate(columns)
            if (one := self.comparisons.get((line.row.number, column.name, column.segment)))
            and one.verdict != "too few"
        }
        largest = max((abs(gap) for gap in gaps.values()), default=0.0)
        return [
            Line(
                line.row,
                [
                    _with_heat(cell, gaps.get((line.row.number, index), 0.0), largest)
                    for index, cell in enumerate(line.cells)
                ],
            )
            for line in lines
        ]


def _with_heat(cell: Cell, gap: float, largest: float) -> Cell:
    share = gap / largest if largest else 0.0
    level = (
        0
        if abs(share) < 0.08
        else (1 if share > 0 else -1) * (1 if abs(share) < 0.3 else 2 if abs(share) < 0.65 else 3)
    )
    return Cell(**{**vars(cell), "heat": level})
