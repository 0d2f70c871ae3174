"""``ptx runs tail``: print the events of runs as lines, and follow runs that are still running."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

from ptx.cli.console import progress_line
from ptx.cli.journal import Journal
from ptx.cli.keys import KEY_LENGTH
from ptx.cli.progress import seconds_of
from ptx.report import load_records

SECONDS_BETWEEN_LOOKS = 0.5


def tail(folder: Path, lines: int, *, follow: bool) -> None:
    """Print the last events (``lines`` of them) of a run or sweep.

    With ``follow`` new events are printed until all runs have ended.
    """
    read: dict[Path, Journal] = {}
    ended = _ended(folder)
    events = _new_events(folder, read)
    _show(events[len(events) - lines :] if lines < len(events) else events, folder)
    while follow and not ended:
        time.sleep(SECONDS_BETWEEN_LOOKS)
        ended = _ended(folder)  # checked before the reading, so that no event after the check is missed
        _show(_new_events(folder, read), folder)


def _ended(folder: Path) -> bool:
    return all(record.status not in ("unfinished", "planned") for record in load_records([folder]))


def _new_events(folder: Path, read: dict[Path, Journal]) -> list[tuple[Path, dict[str, Any]]]:
    """Return the events since the last call, in order of time.

    ``read`` holds the journals that are known so far; it is updated.
    """
    for path in [
        folder / "events.jsonl",
        *folder.glob("*/events.jsonl"),
        *folder.glob("runs/*/*/events.jsonl"),
    ]:
        read.setdefault(path, Journal(path))
    found = [(path, event) for path, journal in read.items() for event in journal.new()]
    return sorted(found, key=lambda event: seconds_of(event[1], "time"))


def _show(events: list[tuple[Path, dict[str, Any]]], folder: Path) -> None:
    for path, event in events:
        run = "" if path.parent == folder else f"{path.parent.name}  "
        at = datetime.fromtimestamp(seconds_of(event, "time")).astimezone()
        print(f"{at:%H:%M:%S}  {run}{line_of(event)}", flush=True)


def line_of(event: dict[str, Any]) -> str:
    """Return an event in words."""
    name, label = event.get("event", "?"), event.get("label") or event.get("step") or ""
    if name in ("log", "progress"):
        what = f"{event.get('label', '')} {event.get('what', '')}".strip()
        return progress_line(what, event.get("metrics") or {}, event.get("step") or 0, event.get("total"))
    if name == "message":
        return f"{label}: {event.get('text', '')}" if label else str(event.get("text", ""))
    if name == "step_started":
        return f"{event.get('step')}: started ({str(event.get('key'))[:KEY_LENGTH]})"
    if name in ("step_finished", "product"):
        how = "from the store" if event.get("shared") else f"finished in {event.get('seconds')} s"
        return f"{event.get('step') or event.get('name')}: {how}"
    if name == "run_finished":
        return f"run {event.get('status')}"
    return _other(name, event)


def _other(name: str, event: dict[str, Any]) -> str:
    changed = event.get("changed")
    if name == "fitted" and isinstance(changed, dict):
        words = ", ".join(f"{key}={value}" for key, value in changed.items())
        return f"fitted to the memory that is free: {words}"
    rest = {key: value for key, value in event.items() if key not in ("time", "event", "run", "label")}
    return " ".join([name.replace("_", " "), *(f"{key}={value}" for key, value in rest.items())])
