"""The short table of a report: each run's headline metrics with intervals, for terminal and notebook."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from ptx.report.table.frame import Frame
from ptx.report.table.metric_names import short_name
from ptx.report.table.shown import rows_left_out, shown_rows
from ptx.report.table.units import metric_text, scale_of

LISTED = 60  # rows of the table
COSTS = ("latency/request_seconds", "latency/request_ratio", "size/bytes_on_disk")


@dataclass(frozen=True)
class Headline:
    """A table of texts; ``left_out`` says how many rows are missing."""

    heads: list[str]
    rows: list[list[str]]
    left_out: str


def headline(frame: Frame) -> Headline:
    """The headline metrics of each run, each with its interval."""
    columns = [name for name in (frame.headline, *COSTS) if name in frame.names] or frame.names[:4]
    scales = {
        name: scale_of(
            _unit(frame, name), [metric.value for row in frame.rows if (metric := row.metric(name))]
        )
        for name in columns
    }
    shown = shown_rows(frame, LISTED)
    rows = [
        [row.label or row.full_label, row.status]
        + [metric_text(metric, scales[name]) if (metric := row.metric(name)) else "-" for name in columns]
        for row in shown
    ]
    return Headline(["run", "status", *map(short_name, columns)], rows, rows_left_out(frame, shown))


def table_html(heads: list[str], rows: list[list[str]], caption: str = "") -> str:
    """A plain table for a notebook; every text is escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    below = f"<p>{escape(caption)}</p>" if caption else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"


def _unit(frame: Frame, name: str) -> str:
    return next((metric.unit for row in frame.rows if (metric := row.metric(name))), "")
