"""One sweep as a page shows it while it runs: what each run does, how long it takes, what has failed.

Everything comes from the files of the record: who holds the sweep's lock says whether it is running, the
journals say what its runs do. A run that began before its record was begun anew (a process that was killed)
does not count as running.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ptx.cli.journal import Journal
from ptx.cli.progress import EXPECTED, LEFT, RUNNING, Part, Progress, RunState, seconds_of
from ptx.cli.tail import line_of
from ptx.cli.ui.curves import Curves, Points, drawable, is_number
from ptx.cli.ui.records import Records, object_in
from ptx.execute.sweep import FAILED, PREPARED
from ptx.report.table.listing import Stamp, stamp_of
from ptx.report.table.records import Record
from ptx.store.locks import owner_of, pid_of
from ptx.store.store import Identity, Store

MOST_RUNNING, MOST_FAILED, MOST_SAID, MOST_METRICS = 16, 40, 40, 8
LONGEST = 400
SILENCE = 600.0  # seconds without an event after which a run on a cluster counts as dead
LOCKS = ("sweep.lock", "search.lock")


class Watch:
    """The state of a sweep; ``timed`` names the evaluators that are measured one after the other."""

    def __init__(self, folder: Path, timed: frozenset[str] = frozenset()) -> None:
        self.records, self.timed = Records(folder), timed
        self.progress = Progress([], None)
        self.states: dict[str, RunState] = {}
        self.curves: dict[str, tuple[str, Curves]] = {}  # run -> the label of its step, and its curves
        self.said: deque[list[Any]] = deque(maxlen=MOST_SAID)
        self.version = 0  # of the records: it grows when one of them has changed
        self.owner = ""
        self.pid: int | None = None
        self._begun: dict[str, float] = {}
        self._last = 0.0
        self._expected_stamp: Stamp | None = None

    @property
    def folder(self) -> Path:
        """The sweep's folder."""
        return self.records.folder

    def look(self) -> None:
        """Read what has changed since the last look."""
        changed = self.records.look()
        self.version += bool(changed)
        self._look_for_owner()
        self._look_for_expected()
        for name in changed:
            self._renew(name)
        self.states = {name: self.states[name] for name in self.records.runs}
        self.progress.runs = list(self.states.values())
        for name, state in self.states.items():
            if "status" in self.records.runs[name].result:
                continue
            for event in state.journal.new():
                self._apply(name, state, event)
        for name in [name for name in self.curves if self.states.get(name, _NONE).status != RUNNING]:
            del self.curves[name]

    def _look_for_owner(self) -> None:
        locks = [self.folder / name for name in LOCKS]
        found = [lock for lock in locks if lock.is_dir()]
        self.owner = next((owner for lock in found if (owner := owner_of(lock))), "")
        self.pid = next((pid for lock in found if (pid := pid_of(lock))), None) if self.owner else None

    def _look_for_expected(self) -> None:
        """How long the command expects its steps to take, from earlier ones on this machine."""
        path = self.folder / EXPECTED
        stamp = stamp_of(str(path))
        if stamp and stamp != self._expected_stamp:
            found = object_in(path) or {}
            self.progress.expected = {
                key: seconds_of(found, key) for key in found if seconds_of(found, key) > 0
            }
            self._expected_stamp = stamp

    def _renew(self, name: str) -> None:
        """Begin the state of a run again, from its record."""
        record = self.records.runs.get(name)
        if record is None:
            return
        before = self.states.get(name)
        parts = _parts(record, self.timed)
        label = str(record.run.get("label") or name)[:LONGEST]
        journal = before.journal if before else Journal(record.folder / "events.jsonl")
        state = RunState(name, label, parts, journal)
        if before is not None and _begun(record) == self._begun.get(name):
            state.status, state.at, state.progress = before.status, before.at, before.progress
            state.finished = before.finished
        self._begun[name] = _begun(record)
        self.states[name] = state
        if "status" in record.result or record.status == "unreadable":
            self._end(record, state)
        elif self.owner:
            for part in _stored(record):
                self.progress.stored.add(part["key"])
                self.progress.took(state, part)

    def _end(self, record: Record, state: RunState) -> None:
        """The state of a run that has ended: its result says all, and its journal is not needed."""
        state.status, state.at, state.progress = record.status[:40], {}, {}
        for part in [*(record.result.get("steps") or []), *(record.result.get("evaluations") or [])]:
            if not isinstance(part, Mapping):
                continue
            state.finished.setdefault(str(part.get("key", "")), bool(part.get("shared")))
            self.progress.took(state, part)

    def _apply(self, name: str, state: RunState, event: dict[str, Any]) -> None:
        at = seconds_of(event, "time")
        if at < self._begun[name]:  # of a process that was killed: only what it measured counts
            if event.get("event") == "step_finished":
                self.progress.took(state, event)
            return
        self._last = max(self._last, at)
        self.progress.apply(state, event)
        if event.get("event") == "run_finished":  # its result comes in a moment
            state.status = LEFT
        elif event.get("event") == "log":
            label = str(event.get("label") or state.at.get("name") or "")[:LONGEST]
            kept = self.curves.get(name)
            if kept is None or kept[0] != label:
                kept = self.curves[name] = (label, Curves())
            kept[1].add(event.get("step") or 0, event.get("metrics"))
        if event.get("event") not in ("log", "progress"):
            self.said.append([at, state.label, line_of(event)[:LONGEST]])

    @property
    def alive(self) -> bool:
        """Whether somebody executes the sweep: a process has its lock, or a cluster's runs say something."""
        if self.owner:
            return True
        on_cluster = any((one.run.get("config") or {}).get("cluster") for one in self.records.runs.values())
        return on_cluster and time.time() - self._last < SILENCE

    def shown(self) -> dict[str, Any]:
        """What the page shows of the sweep now; each part is sent when it has changed."""
        sweep, alive = self.records.sweep, self.alive
        counts = self.counts(alive=alive)
        return {
            "gone": self.records.gone,
            "command": str(sweep.get("command", ""))[:4000],
            "created": str(sweep.get("created", ""))[:40],
            "alive": alive,
            "owner": self.owner[:LONGEST],
            "here": self.pid is not None,
            "counts": counts,
            "rest": self._rest(alive=alive),
            "running": self._running() if alive else [],
            "failed": self._failed(),
            "said": list(self.said),
            "version": self.version,
        }

    def counts(self, *, alive: bool) -> dict[str, int]:
        """The number of runs in each state; one that nobody executes any more counts as left."""
        found: dict[str, int] = {}
        for state in self.states.values():
            status = LEFT if state.status in (RUNNING, PREPARED) and not alive else state.status
            found[status] = found.get(status, 0) + 1
        return {"runs": len(self.states)} | found

    def _rest(self, *, alive: bool) -> dict[str, Any]:
        """The seconds that are left; or the kinds of steps that must end once before they are known."""
        if not alive:
            return {}
        seconds, unknown = self.progress.seconds_left()
        return (
            {"unknown": [kind[:60] for kind in unknown[:6]]}
            if unknown
            else {"ends": round((time.time() + seconds) / 5) * 5}
        )

    def _running(self) -> list[dict[str, Any]]:
        running = self.progress.running_runs()
        return [_activity(state) for state in running[:MOST_RUNNING]]

    def _failed(self) -> list[list[str]]:
        """(Folder, label, what went wrong) of the first runs that failed; tracebacks are asked for."""
        failed = [
            name for name, state in self.states.items() if state.status in (FAILED, "stopped", "unreadable")
        ]
        return [
            [name, self.states[name].label, reason_of(self.records.runs[name])]
            for name in failed[:MOST_FAILED]
        ]

    def points(self) -> dict[str, tuple[str, Points]]:
        """Run -> (the label of its step, the points that came since the last call)."""
        found = {name: (label, curves.take()) for name, (label, curves) in self.curves.items()}
        return {name: one for name, one in found.items() if one[1]}

    def all_points(self) -> dict[str, tuple[str, Points]]:
        """Run -> (the label of its step, all points that are kept)."""
        return {name: (label, curves.points) for name, (label, curves) in self.curves.items()}


_NONE = RunState("", "", (), Journal(Path()))


def _activity(state: RunState) -> dict[str, Any]:
    """What a run does now."""
    last = state.progress
    metrics = last.get("metrics")
    whole = [part for part in state.parts if part.key]
    eta = metrics.get("eta_seconds") if isinstance(metrics, Mapping) else None
    return {
        "run": state.id,
        "label": state.label,
        "step": str(state.at.get("name", ""))[:LONGEST],
        "since": state.at.get("since"),
        "what": str(last.get("what", ""))[:LONGEST],
        "at": last.get("step") if is_number(last.get("step")) else None,
        "of": last.get("total") if is_number(last.get("total")) else None,
        "left": eta if is_number(eta) else None,
        "parts": [[part.name[:80], part.key in state.finished, part.step] for part in whole[:24]],
        "metrics": [
            [name, value] for name, value in drawable(metrics if isinstance(metrics, Mapping) else {}).items()
        ][:MOST_METRICS],
    }


def reason_of(record: Record) -> str:
    """What went wrong in a run, in one line."""
    error = record.result.get("error")
    if isinstance(error, Mapping):
        return f"{error.get('type', 'Error')}: {error.get('message', '')}"[:LONGEST]
    return "; ".join(record.problems)[:LONGEST]


def _parts(record: Record, timed: frozenset[str]) -> tuple[Part, ...]:
    found = []
    for group in ("steps", "evaluations"):
        for part in record.run.get(group) or []:
            if isinstance(part, Mapping):
                name, given = str(part.get("name", "")), part.get("ingredients")
                kind = str(given.get("choice", name)) if isinstance(given, Mapping) else name
                step = group == "steps"
                found.append(Part(name, str(part.get("key", "")), kind, step, not step and kind in timed))
    return tuple(found)


def _stored(record: Record) -> list[dict[str, Any]]:
    """(Key, seconds) of a run's parts that lie in the store beside the sweep."""
    above = [*record.folder.absolute().parents, Path("/"), Path("/")]
    store = Store(above[2] / "store")  # OUT/runs/SWEEP/RUN
    if not store.root.is_dir():
        return []
    return [
        {"key": str(part.get("key")), "seconds": entry.meta.get("seconds")}
        for group in ("steps", "evaluations")
        for part in record.run.get(group) or []
        if isinstance(part, Mapping) and isinstance(part.get("ingredients"), dict)
        if (entry := store.find(Identity(group, part["ingredients"]))) is not None
    ]


def _begun(record: Record) -> float:
    """The time at which a record was begun; 0 where it does not say."""
    try:
        return datetime.fromisoformat(str(record.run.get("created"))).timestamp() - 1.0
    except (ValueError, OverflowError):
        return 0.0
