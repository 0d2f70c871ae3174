"""The reference of each row of a report: the baseline of its model, or the row that the user has named."""

from __future__ import annotations

from typing import Any

from ptx.config.against import Named, find
from ptx.errors import ConfigError
from ptx.files import digest_of
from ptx.report.table.records import Record
from ptx.report.table.row import Row


def set_baselines(rows: list[Row]) -> None:
    """Set each row's reference to the baseline of its model, preferably on its runtime.

    Without any baseline, the reference is the first row that is done.
    """
    baselines = [row for row in rows if row.baseline and row.done]
    first = next((row for row in rows if row.done), None)
    for row in rows:
        same = sorted(
            (base for base in baselines if _agree(base, row, 1)), key=lambda base: not _agree(base, row, 3)
        )
        reference = same[0] if same else first if not baselines else None
        row.reference = reference if reference is not row and row.done and not row.baseline else None
        row.measured_beside = row.reference if same else None


def set_references(rows: list[Row], against: str) -> None:
    """Set the reference to the row that ``against`` names; if empty, to the one that a row's sweep declares.

    A declared row that is not among ``rows`` leaves the reference as it is: the records are a part of the
    sweep, or that run failed.

    Raises:
        ConfigError: ``against`` names no row, or more than one.
    """
    named = [
        Named(row.records[0].varied, row.label, [row.full_label, *(record.id for record in row.records)])
        for row in rows
    ]
    if against:
        chosen = rows[find(against, named)]
        for row in rows:
            _compare_with(row, chosen)
        return
    sweeps: dict[str, list[Row]] = {}
    for row in rows:
        if row.done:
            sweeps.setdefault(row.records[0].sweep_name, []).append(row)
    known: dict[tuple[str, str], Row | None] = {}
    for row in rows:
        record = row.records[0]
        declared = str((record.run.get("config") or {}).get("against") or "")
        if not declared:
            continue
        place = record.sweep_name, declared
        if place not in known:
            known[place] = _declared(declared, sweeps.get(record.sweep_name, []), named)
        found = known[place]
        if found is not None:
            _compare_with(row, found)


def _declared(text: str, rows: list[Row], named: list[Named]) -> Row | None:
    """The row of one sweep that ``text`` names; None if it is not among the rows."""
    try:
        return rows[find(text, [named[row.number - 1] for row in rows])]
    except ConfigError:
        return None


def _compare_with(row: Row, chosen: Row) -> None:
    row.reference = chosen if row is not chosen and row.done and chosen.done else None
    row.reference_requested = True


def baseline_identity(record: Record) -> str:
    """A digest of the baseline's model and runtime: latencies are ratios to what it identifies."""
    return digest_of(list(_basis(record)[:2]))


def _agree(a: Row, b: Row, depth: int) -> bool:
    """Whether two rows agree on the first ``depth`` of: model, runtime of the baseline, evaluators."""
    ours, theirs = (_basis(row.records[0]) for row in (a, b))
    return ours[:depth] == theirs[:depth]


def _basis(record: Record) -> tuple[Any, ...]:
    """(Model, runtime of the baseline, evaluators) of a record: what comparable runs share."""
    config = record.run.get("config") or {}
    return (
        record.model.get("digest"),
        config.get("baseline_runtime") or config.get("runtime"),
        config.get("eval"),
    )
