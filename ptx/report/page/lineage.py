"""From the base model to the artifact, with digests, and the one command that rebuilds a row."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from ptx.report.table.frame import Frame
from ptx.report.table.row import Row
from ptx.report.text.details import config_changes

#: overrides that name the sweep or its workers, not the model
LEFT_OUT = ("name", "workers", "out", "against")
LONGEST, MOST_CHANGES = 2000, 60


def lineage_data(frame: Frame, rows: Sequence[Row]) -> dict[str, Any]:
    """Place of the row -> base, steps, artifact, command, and the settings that differ from the reference."""
    place = {row.number: index for index, row in enumerate(frame.rows)}
    return {str(place[row.number]): _lineage(row) for row in rows}


def _lineage(row: Row) -> dict[str, Any]:
    record = row.done[0] if row.done else row.records[0]
    model, data = record.model, record.run.get("data") or {}
    made = record.result.get("model") or {}
    steps = record.result.get("steps") or record.run.get("steps") or []
    return {
        "base": [str(model.get("name") or "")[:200], str(model.get("digest") or "")[:12], model.get("bytes")],
        "data": [str(data.get("name") or "")[:200], str(data.get("digest") or "")[:12]],
        "steps": [
            [
                str(step.get("name"))[:80],
                str(step.get("kind") or "")[:40],
                str(step.get("key") or "")[:12],
                step.get("seconds"),
                step.get("bytes"),
            ]
            for step in steps[:20]
        ],
        "artifact": [
            str(made.get("digest") or "")[:12],
            made.get("bytes"),
            str(made.get("runtime") or "")[:40],
        ],
        "runs": [f"{record.sweep_name}/{record.id}"[:200] for record in row.records][:8],
        "repeats": [f"{one.sweep_name}/{one.id}"[:200] for one in row.repeats][:8],
        "command": command_of(row)[:LONGEST],
        "changes": [[one[:200] for one in change] for change in config_changes(row)[:MOST_CHANGES]],
    }


def command_of(row: Row) -> str:
    """The command that makes this row again; its steps come from the store where they are still there."""
    run = row.records[0].run
    overrides = [str(word) for word in run.get("overrides") or ()]
    kept = [word for word in overrides if word.partition("=")[0].lstrip("+~") not in LEFT_OUT]
    if row.baseline or not kept:
        return str(run.get("command") or "")
    return shlex.join(["ptx", str(run.get("verb") or "train"), *kept])
