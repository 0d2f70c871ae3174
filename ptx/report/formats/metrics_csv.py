"""All metrics of all runs as CSV, for other tools: one metric per line, not rounded, seeds not grouped."""

from __future__ import annotations

import csv
import functools
import io

from ptx.records import Metric
from ptx.report.table.frame import Frame
from ptx.report.table.records import Record
from ptx.report.table.row import Row

FORMULA = ("=", "+", "-", "@")
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

    The writer takes ``repr`` for floats, so that reading them gives the same numbers.
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


@functools.lru_cache(maxsize=65_536)
def _text(value: str) -> str:
    """A text as a cell: a spreadsheet would run one that starts like a formula."""
    clean = value.replace("\x00", "")
    return f"'{clean}" if clean.lstrip().startswith(FORMULA) or clean.startswith(("\t", "\r")) else clean


def _run_fields(row: Row, record: Record) -> list[str]:
    texts = [row.label, record.sweep_name, record.id, record.seed]
    return [
        str(row.number),
        *map(_text, texts),
        str(row.baseline).lower(),
        _text(record.status),
    ]


def _metric_fields(evaluator: str, metric: Metric) -> list[str | float]:
    name, segment, unit = _text(metric.name), _text(metric.segment), _text(metric.unit)
    numbers = metric.value, metric.low, metric.high, metric.n
    return [_text(evaluator), name, segment, *numbers, unit, metric.better]
