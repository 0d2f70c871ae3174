"""What the sweep cost: the compute asked for, run, and shared; and its money where a price is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ptx.report.table.frame import Frame
from ptx.report.table.records import Record
from ptx.report.text.details import Work

MOST_WORKS = 200


def cost_data(frame: Frame, works: Sequence[Work]) -> dict[str, Any]:
    """Seconds asked for, run here, and taken from the store; the distinct steps and evaluations."""
    asked = sum(work.seconds * max(1, len(work.used_by)) for work in works)
    run = sum(work.seconds for work in works if work.made_by)
    kinds = sorted({work.kind for work in works})
    return {
        "asked": asked,
        "run": run,
        "shared": max(0.0, asked - run),
        "kinds": [[kind[:60], sum(work.seconds for work in works if work.kind == kind)] for kind in kinds],
        "price": _price([record for row in frame.rows for record in row.records]),
        "more": max(0, len(works) - MOST_WORKS),
        "works": [
            [
                work.name,
                work.kind,
                work.key[:12],
                work.seconds,
                work.bytes,
                bool(work.made_by),
                work.used_by[:6],
                len(work.used_by),
            ]
            for work in works[:MOST_WORKS]
        ],
    }


def _price(records: Sequence[Record]) -> list[Any] | None:
    """(Price per hour, currency) of the machine, as the latency evaluator was told it."""
    for record in records:
        latency = ((record.run.get("config") or {}).get("eval") or {}).get("latency")
        price = latency.get("price_per_hour") if isinstance(latency, dict) else None
        if isinstance(latency, dict) and isinstance(price, int | float) and price > 0:
            return [float(price), str(latency.get("currency") or "USD")[:8]]
    return None
