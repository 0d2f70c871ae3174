"""What each row of a report is compared with: the baseline of its own model, or the row that was asked
for.
"""

from __future__ import annotations

from typing import Any

from ptx.config.against import Named, find
from ptx.errors import ConfigError
from ptx.files import digest_of
from ptx.report.table.records import Record
from ptx.report.table.row import Row


def refer(rows: list[Row]) -> None:
    """Give each row its baseline: the one of its model, on its runtime if there is one; without any baseline,
    the first row that is done.
    """
    baselines = [row for row in rows if row.baseline and row.done]
    first = next((row for row in rows if row.done), None)
    for row in rows:
        same = sorted(
            (base for base in baselines if _kin(base, row, 1)), key=lambda base: not _kin(base, row, 3)
        )
        reference = same[0] if same else first if not baselines else None
        row.reference = reference if reference is not row and row.done and not row.baseline else None
        row.turned = row.reference if same else None


def refer_to(rows: list[Row], against: str) -> None:
    """Let rows be compared with the one that is named for all of them, or that their sweep declares and
    has.
    """
    named = [
        Named(row.records[0].varied, row.label, [row.full_label, *(record.id for record in row.records)])
        for row in rows
    ]
    if against:
        chosen = rows[find(against, named)]
        for row in rows:
            row.reference, row.named = (
                (chosen if row is not chosen and row.done and chosen.done else None),
                True,
            )
        return
    for row in rows:
        declared, sweep = (
            str((row.records[0].run.get("config") or {}).get("against") or ""),
            row.records[0].sweep_name,
        )
        same = [other for other in rows if declared and other.records[0].sweep_name == sweep and other.done]
        try:
            chosen = same[find(declared, [named[other.number - 1] for other in same])]
        except ConfigError:  # not among these runs: a part of the sweep, or one that failed
            continue
        row.reference, row.named = chosen if row is not chosen and row.done else None, True


def served(record: Record) -> str:
    """Model and runtime of the baseline that a record's latency was measured beside."""
    return digest_of(list(_facts(record)[:2]))


def _kin(a: Row, b: Row, depth: int) -> bool:
    """Whether two rows agree on the first ``depth`` of: model, runtime of the baseline, evaluators."""
    facts = [_facts(row.records[0]) for row in (a, b)]
    return facts[0][:depth] == facts[1][:depth]


def _facts(record: Record) -> tuple[Any, ...]:
    config = record.run.get("config") or {}
    return (
        record.model.get("digest"),
        config.get("baseline_runtime") or config.get("runtime"),
        config.get("eval"),
    )
