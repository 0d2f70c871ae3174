"""All metrics of all runs as CSV, one per line, unrounded and ungrouped: what other tools start from."""

from __future__ import annotations

import csv
import io

from ptx.records import Metric
from ptx.report.table.frame import Frame
from ptx.report.table.records import Record
from ptx.report.table.row import Row

FIELDS = (
    "row",
    "label",
    "sweep",
    "run",
    "seed",
    "baseline",
    "status",
    "evaluator",
    "metric",
    "segment",
    "value",
    "low",
    "high",
    "n",
    "unit",
    "better",
)


def render_csv(frame: Frame) -> str:
    """The file's text; floats as Python writes them, so that reading gives the same numbers. A run without
    metrics has one line.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(FIELDS)
    for row in frame.rows:
        for record in [*row.records, *row.repeats]:
            head = _head(row, record)
            for evaluator, metric in record.metrics:
                writer.writerow([*head, *_tail(evaluator, metric)])
            if not record.metrics:
                writer.writerow([*head, *[""] * (len(FIELDS) - len(head))])
    return file.getvalue()


def _head(row: Row, record: Record) -> list[str]:
    return [
        str(row.number),
        row.label,
        record.sweep_name,
        record.id,
        record.seed,
        str(row.baseline).lower(),
        record.status,
    ]


def _tail(evaluator: str, metric: Metric) -> list[str]:
    numbers = [repr(metric.value), repr(metric.low), repr(metric.high), str(metric.n)]
    return [evaluator, metric.name, metric.segment, *numbers, metric.unit, metric.better]
