"""How much of the time the workers of a sweep had a run to execute, from the events of the runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ptx.files import read_rows

ENDS = ("run_finished", "run_prepared")


def idle_share(folders: Iterable[Path], workers: int, began: float, ended: float) -> float:
    """The share of the workers' time, from ``began`` to ``ended`` (seconds since 1970), without a run.

    A worker that starts, or waits for the last timings of others, is idle; one that waits for a step that
    another one builds is not.
    """
    busy = sum(_seconds(read_rows(folder / "events.jsonl"), began, ended) for folder in folders)
    whole = workers * (ended - began)
    return min(max(1 - busy / whole, 0.0), 1.0) if whole > 0 else 0.0


def _seconds(events: Iterable[dict[str, Any]], began: float, ended: float) -> float:
    """The seconds of one run between its starts and ends, as far as they lie in the command's time."""
    total, since = 0.0, None
    for event in events:
        if event["event"] == "run_started" and event["time"] >= began:
            since = event["time"]
        elif event["event"] in ENDS and since is not None:
            total, since = total + event["time"] - since, None
    return total + (ended - since if since is not None else 0.0)
