"""All metrics of all runs as CSV, for other tools: one metric per line, not rounded, seeds not grouped."""

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
    """The text of the CSV file; a run without metrics has one line.

    Floats are written with ``repr``, so that reading them gives the same numbers.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(FIELDS)
    for row in frame.rows:
        for record in [*row.records, *row.repeats]:
            run_fields = _run_fields(row, record)
            for evaluator, metric in record.metrics:
                writer.writerow([*run_fields, *_metric_fields(evaluator, metric)])
            if not record.metrics:
                writer.writerow([*run_fields, *[""] * (len(FIELDS) - len(run_fields))])
    return file.getvalue()


def _run_fields(row: Row, record: Record) -> list[str]:
    return [
        str(row.number),
        row.label,
        record.sweep_name,
        record.id,
        record.seed,
        str(row.baseline).lower(),
        record.status,
    ]


def _metric_fields(evaluator: str, metric: Metric) -> list[str]:
    numbers = [repr(metric.value), repr(metric.low), repr(metric.high), str(metric.n)]
    return [evaluator, metric.name, metric.segment, *numbers, metric.unit, metric.better]
