"""The runs of a report as one plain table, with the varied settings as columns: report.json, and pandas.

One line per run, not rounded and seeds not grouped. A metric ``bench/mean`` has four columns:
``bench/mean``, ``bench/mean low``, ``bench/mean high`` and ``bench/mean n``. A setting has its name
(``method.learning_rate``).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx.report.decision.decide import Decision
from ptx.report.table.frame import Frame, make_frame
from ptx.report.table.records import Record, load_records
from ptx.report.table.row import Row
from ptx.report.text.spans import words_of
from ptx.stats.pareto import Place

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]


def load_sweep(path: Path | str) -> DataFrame:
    """The runs at or below a folder as a pandas table: one line per run, settings and metrics as columns.

    ``ptx.load_sweep("ptx-out/runs/demo").to_parquet("demo.parquet")`` writes them for other tools.

    Raises:
        ConfigError: the path is not a folder, or holds no runs.
    """
    from pandas import DataFrame  # type: ignore[import-untyped]

    return DataFrame(run_table(make_frame(load_records([Path(path)]))))


def run_table(frame: Frame, places: dict[int, Place] | None = None) -> list[dict[str, Any]]:
    """One mapping per run; ``places`` are the rows' places on the front, with the row that dominates them."""
    labels = {row.number: row.label for row in frame.rows}
    return [
        _run(row, record) | _place(row, places or {}, labels)
        for row in frame.rows
        for record in [*row.records, *row.repeats]
    ]


def _run(row: Row, record: Record) -> dict[str, Any]:
    line: dict[str, Any] = {
        "row": row.number,
        "label": row.label,
        "sweep": record.sweep_name,
        "run": record.id,
        "seed": record.seed,
        "baseline": row.baseline,
        "status": record.status,
        **{key: _setting(value) for key, value in record.varied.items() if key != "seed"},
    }
    for _, metric in record.metrics:
        name = f"{metric.name} [{metric.segment}]" if metric.segment else metric.name
        line[name] = metric.value
        line |= {f"{name} low": metric.low, f"{name} high": metric.high, f"{name} n": metric.n}
    return line


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
