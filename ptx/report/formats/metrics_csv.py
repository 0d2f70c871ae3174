"""All metrics of all runs as CSV, for other tools: one metric per line, not rounded, seeds not grouped.

Each line has the run, its varied settings (a column each), and the metric.
"""

from __future__ import annotations

import csv
import functools
import io

from ptx.records import Metric
from ptx.report.formats.tables import HEADS, setting_column
from ptx.report.table.frame import Frame
from ptx.report.table.records import Record
from ptx.report.table.row import Row

FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # and their full-width forms
FIELDS = (
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
    settings = list(
        dict.fromkeys(key for row in frame.rows for key in row.records[0].varied if key != "seed")
    )
    writer.writerow([*HEADS, *(_text(setting_column(name)) for name in settings), *FIELDS])
    for row in frame.rows:
        for record in [*row.records, *row.repeats]:
            varied = (_value(record.varied.get(name, "")) for name in settings)
            run_fields = [*_run_fields(row, record), *varied]
            for evaluator, metric in record.metrics:
                writer.writerow([*run_fields, *_metric_fields(evaluator, metric)])
            if not record.metrics:
                writer.writerow([*run_fields, *[""] * len(FIELDS)])
    return file.getvalue()


@functools.lru_cache(maxsize=65_536)
def _text(value: str) -> str:
    """A text as a cell: a spreadsheet would run one that starts like a formula.

    The writer quotes no carriage return, at which readers end a row: what follows would be a cell of its own.
    """
    clean = value.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
    return f"'{clean}" if clean.lstrip().startswith(FORMULA) or clean.startswith("\t") else clean


def _value(text: str) -> str:
    """A setting as a cell: a negative number is no formula."""
    try:
        float(text)
    except ValueError:
        return _text(text)
    return text.strip()


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
