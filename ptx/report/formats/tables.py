"""The runs of a report as one plain table, with the varied settings as columns: report.json,
report.parquet, and pandas.

One line per run, not rounded and seeds not grouped. A metric ``bench/mean`` has four columns:
``bench/mean``, ``bench/mean low``, ``bench/mean high`` and ``bench/mean n``. A setting has its name
(``method.learning_rate``).
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx.report.decision.decide import Decision
from ptx.report.table.frame import Frame, make_frame
from ptx.report.table.records import Record, load_records
from ptx.report.table.row import Row
from ptx.report.table.standing import places_of
from ptx.report.text.spans import words_of
from ptx.stats.pareto import Place

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]

HEADS = ("row", "label", "sweep", "run", "seed", "baseline", "status")
LARGEST_INT = 2**63


def load_sweep(path: Path | str) -> DataFrame:
    """The runs at or below a folder as a pandas table: one line per run, settings and metrics as columns.

    They are the columns of report.parquet, which every report has.

    Raises:
        ConfigError: the path is not a folder, or holds no runs.
    """
    from pandas import DataFrame  # type: ignore[import-untyped]

    frame = make_frame(load_records([Path(path)]))
    places = places_of(frame, frame.objectives) if frame.objectives else {}
    return DataFrame(columns_of(run_table(frame, places)))


def columns_of(lines: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The lines as columns of one type each: numbers or yes and no where all values are, else texts."""
    names = dict.fromkeys(name for line in lines for name in line)
    return {name: _of_one_type([line.get(name) for line in lines]) for name in names}


def _of_one_type(values: list[Any]) -> list[Any]:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int} and max(abs(value) for value in values if value is not None) < LARGEST_INT:
        return values
    if kinds and kinds <= {int, float}:
        return [None if value is None else float(value) for value in values]
    return values if len(kinds) < 2 else [None if value is None else str(value) for value in values]


def run_table(frame: Frame, places: dict[int, Place] | None = None) -> list[dict[str, Any]]:
    """One mapping per run; ``places`` are the rows' places on the front, with the row that dominates them."""
    labels = {row.number: row.label for row in frame.rows}
    return [
        _run(row, record) | _place(row, places or {}, labels)
        for row in frame.rows
        for record in [*row.records, *row.repeats]
    ]


def _run(row: Row, record: Record) -> dict[str, Any]:
    line: dict[str, Any] = head_of(row, record)
    line |= {setting_column(key): _setting(value) for key, value in record.varied.items() if key != "seed"}
    for _, metric in record.metrics:
        value, low, high, n = _columns(metric.name, metric.segment)
        line[value], line[low], line[high], line[n] = metric.value, metric.low, metric.high, metric.n
    return line


@functools.lru_cache(maxsize=65_536)
def _columns(name: str, segment: str) -> tuple[str, str, str, str]:
    """The columns of a metric: its value, the ends of its interval, and the number of items."""
    whole = f"{name} [{segment}]" if segment else name
    return whole, f"{whole} low", f"{whole} high", f"{whole} n"


def setting_column(name: str) -> str:
    """The column of a varied setting: its name, unless that is a column of every table."""
    return f"setting {name}" if name in HEADS else name


def head_of(row: Row, record: Record) -> dict[str, Any]:
    """What names a run: the first columns of every table."""
    return {
        "row": row.number,
        "label": row.label,
        "sweep": record.sweep_name,
        "run": record.id,
        "seed": record.seed,
        "baseline": row.baseline,
        "status": record.status,
    }


def _place(row: Row, places: dict[int, Place], labels: dict[int, str]) -> dict[str, Any]:
    place = places.get(row.number)
    if place is None:
        return {}
    return {
        "standing": place.standing,
        "dominated by": labels.get(place.by) if place.by is not None else None,
    }


def _setting(text: str) -> Any:
    """A setting as a number where it is one, so that it can be drawn and sorted."""
    try:
        value = float(text)
    except ValueError:
        return text
    return text if not math.isfinite(value) else int(value) if value.is_integer() else value


def decision_table(decision: Decision) -> dict[str, Any]:
    """What the report decides: the sentence, the row to ship, and the finalists' findings on the gate."""
    matrix = decision.matrix
    return {
        "sentence": words_of(decision.sentence),
        "ship": decision.pick.label if decision.pick else None,
        "gate": matrix.gate,
        "constraints": {name: words for name, words, _ in matrix.heads},
        "finalists": [
            {"label": line.row.label, "state": line.state}
            | {head[0]: cell.note for head, cell in zip(matrix.heads, line.cells, strict=True)}
            for line in matrix.lines
        ],
    }


def render_json(decision: dict[str, Any], lines: list[dict[str, Any]]) -> str:
    """The decision, and the runs with a line per run; what JSON has no number for is null."""
    texts = [
        json.dumps({key: _plain(value) for key, value in line.items()}, ensure_ascii=False) for line in lines
    ]
    head = json.dumps(decision, ensure_ascii=False)
    return f'{{"decision": {head},\n"runs": [\n' + ",\n".join(texts) + "\n]}\n"


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
