"""Details of a report: steps and evaluations, failures, and differences in configuration."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ptx.report.table.frame import Frame
from ptx.report.table.records import Record
from ptx.report.table.row import SAME_ROW, Row


@dataclass(frozen=True)
class Work:
    """A distinct step or evaluation: run once, used by one or more rows."""

    name: str
    kind: str
    key: str
    seconds: float
    bytes: int | None
    made_by: str
    used_by: list[str]


@dataclass(frozen=True)
class Failure:
    """A run without a result, or with a broken file, and the known reason."""

    row: int
    label: str
    run: str
    sweep: str
    status: str
    message: str
    where: str  # the innermost location of the traceback


def works_of(frame: Frame) -> list[Work]:
    """Every distinct step and evaluation, in order, with the row that ran it and the rows that use it."""
    found: dict[str, dict[str, Any]] = {}
    for row in frame.rows:
        for record in row.records:
            parts = [(part, str(part.get("kind", ""))) for part in record.result.get("steps") or []]
            parts += [(part, "evaluate") for part in record.result.get("evaluations") or []]
            for part, kind in parts:
                work = found.setdefault(
                    str(part.get("key")), {"part": part, "kind": kind, "made": "", "used": []}
                )
                work["used"].append(row.label)
                if not part.get("shared"):
                    work["made"], work["part"] = row.label, part
    return [_work(key, work) for key, work in found.items()]


def _work(key: str, work: dict[str, Any]) -> Work:
    part = work["part"]
    used = list(dict.fromkeys(work["used"]))
    return Work(
        str(part.get("name")),
        work["kind"],
        key,
        float(part.get("seconds") or 0),
        part.get("bytes"),
        work["made"],
        used,
    )


def failures_of(frame: Frame) -> list[Failure]:
    """The failures of a frame: records that are not done, and finished ones with a broken file."""
    found = []
    for row in frame.rows:
        for record in [*row.records, *row.repeats]:
            if record.status != "done" or record.problems:
                found.append(_failure(row, record))
    return found


def _failure(row: Row, record: Record) -> Failure:
    error = record.result.get("error") or {}
    message = f"{error.get('type', 'Error')}: {error.get('message', '')}" if error else ""
    hints = {
        "unfinished": "no result.json: still running, or killed; run the same command again to continue",
        "planned": "the sweep has not started it; run the same command again to continue",
    }
    message = "; ".join([part for part in [message, *record.problems] if part]) or hints.get(
        record.status, ""
    )
    return Failure(
        row.number,
        row.label,
        record.id,
        record.sweep_name,
        record.status,
        message,
        last_location(str(error.get("traceback") or "")),
    )


def problems_of(frame: Frame) -> list[tuple[str, list[str]]]:
    """(What is wrong with a file of a record, the runs that have it), the most frequent first."""
    found: dict[str, list[str]] = {}
    for row in frame.rows:
        for record in [*row.records, *row.repeats]:
            for problem in dict.fromkeys(record.problems):
                found.setdefault(problem, []).append(f"{record.sweep_name}/{record.id}")
    return sorted(found.items(), key=lambda pair: -len(pair[1]))


def last_location(traceback: str) -> str:
    """The last ``File "...", line N, in f`` of a traceback; its last line if there is none."""
    lines = [line.strip() for line in traceback.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if line.startswith("File ")), lines[-1] if lines else "")


def flatten(value: Any, prefix: str = "") -> dict[str, str]:
    """Nested configuration as dotted keys, with the values as text."""
    if isinstance(value, dict):
        parts = [flatten(item, f"{prefix}.{key}" if prefix else str(key)) for key, item in value.items()]
        return {key: text for part in parts for key, text in part.items()} or (
            {prefix: "{}"} if prefix else {}
        )
    return {prefix: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}


def config_changes(row: Row) -> list[tuple[str, str, str]]:
    """(Key, reference's value, row's value) of each difference between the resolved configurations.

    Settings that do not change a result are left out. Without a reference the list is empty.
    """
    if row.reference is None:
        return []
    base, ours = (flatten(one.records[0].run.get("config") or {}) for one in (row.reference, row))
    keys = [key for key in dict.fromkeys([*ours, *base]) if key.partition(".")[0] not in SAME_ROW]
    return [(key, base.get(key, ""), ours.get(key, "")) for key in keys if base.get(key) != ours.get(key)]
