"""The state of runs in progress, as their events tell it: what each one does, and how long the rest takes.

The journals are read as they grow, so this works in the same way for runs in this process, in workers, on a
cluster, and for those of another command that somebody only watches. The remaining time is estimated from
finished steps of the same kind. While no step of a kind has finished, there is no estimate, and the missing
kinds are named instead.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ptx.cli.journal import Journal
from ptx.execute.sweep import DONE, FAILED, PREPARED

LEFT, RUNNING = "left", "running"
LARGEST = 1e12
#: a sweep's file with what its command expects: key of a step or evaluation -> seconds
EXPECTED = "expected.json"


@dataclass(frozen=True)
class Part:
    """A step or an evaluation of a run: its ``kind`` is its choice, whatever name a recipe gives to it."""

    name: str
    key: str
    kind: str
    step: bool
    timed: bool = False

    @property
    def sort(self) -> tuple[bool, str]:
        """What it is: a training and an evaluation may have the same name (``reward``)."""
        return self.step, self.kind


@dataclass
class RunState:
    """The state of one run, as its events tell it so far."""

    id: str
    label: str
    parts: tuple[Part, ...]
    journal: Journal
    status: str = LEFT
    #: key -> whether its result was in the store when this run first needed it
    finished: dict[str, bool] = field(default_factory=dict)
    at: dict[str, Any] = field(default_factory=dict)  # the running step: name, key, since
    progress: dict[str, Any] = field(default_factory=dict)  # the last event with its progress


@dataclass(frozen=True)
class Counts:
    """The number of runs in each state, and of steps: asked for, run, and shared (found in the store)."""

    runs: int
    done: int
    running: int
    failed: int
    left: int
    prepared: int  # among those left: everything except their timings is done
    steps: int
    ran: int
    shared: int


class Progress:
    """The state of some runs.

    ``parallel`` is the number of runs at the same time (None: as many as are running now). Timings are always
    measured one after the other. ``expected`` holds the seconds of steps by key, from earlier commands of
    this machine; they count until one of the same kind has finished in this sweep, by this command or an
    earlier one. ``stored`` holds the keys of results that exist already.
    """

    def __init__(
        self,
        runs: Iterable[RunState],
        parallel: int | None,
        *,
        expected: Mapping[str, float] | None = None,
        stored: Iterable[str] = (),
    ) -> None:
        self.runs, self.parallel = list(runs), parallel
        self.expected, self.stored = expected or {}, set(stored)
        # sort -> key of a finished step or evaluation -> how long it took
        self.seconds: dict[tuple[bool, str], dict[str, float]] = {}

    def read(self) -> None:
        """Read the new events of all runs."""
        for state in self.runs:
            for event in state.journal.new():
                self.apply(state, event)

    def apply(self, state: RunState, event: dict[str, Any]) -> None:
        """Change the state of a run by one of its events."""
        name, key = event.get("event"), str(event.get("key", ""))
        if name == "run_started":
            state.status = RUNNING
        elif name == "step_started":
            state.at = {"name": str(event.get("step", "")), "key": key, "since": seconds_of(event, "time")}
            state.progress = {}
        elif name in ("log", "progress"):
            state.progress = event
        elif name == "step_finished":
            state.finished.setdefault(key, bool(event.get("shared")))
            state.at, state.progress = {}, {}
            self.took(state, event)
        elif name == "run_prepared":
            state.status, state.at = PREPARED, {}
        elif name == "run_finished":
            state.status, state.at = str(event.get("status", "")), {}

    def took(self, state: RunState, part: Mapping[str, Any]) -> None:
        """Note how long a step or an evaluation took, by its event or its record."""
        key = str(part.get("key", ""))
        sort = next((one.sort for one in state.parts if one.key == key), None)
        if sort is not None and isinstance(part.get("seconds"), int | float):
            self.seconds.setdefault(sort, {})[key] = seconds_of(part, "seconds")

    def counts(self) -> Counts:
        """Return the current counts."""
        states = [state.status for state in self.runs]
        done, running, failed, prepared = (states.count(state) for state in (DONE, RUNNING, FAILED, PREPARED))
        asked = [(state, part) for state in self.runs for part in state.parts if part.step]
        steps = [(part.key, state.finished[part.key]) for state, part in asked if part.key in state.finished]
        ran = len({key for key, shared in steps if not shared})
        left = len(states) - done - running - failed
        return Counts(len(states), done, running, failed, left, prepared, len(asked), ran, len(steps) - ran)

    def running_runs(self) -> list[RunState]:
        """Return the runs that are running."""
        return [state for state in self.runs if state.status == RUNNING]

    def seconds_left(self) -> tuple[float, list[str]]:
        """Estimate the seconds until the end of the runs.

        Returns:
            The seconds of what can be told, and the kinds of which nothing is known yet.
        """
        finished = self.stored.union(*(state.finished for state in self.runs))
        busy = {state.at["key"]: state for state in self.running_runs() if state.at}
        todo = {
            part.key: part
            for state in self.runs
            if state.status in (LEFT, RUNNING, PREPARED)
            for part in state.parts
        }
        calm = timed = 0.0
        unknown = []
        for key, part in todo.items():
            if key in finished:
                continue
            seconds = self._seconds_of(part, busy.get(key))
            if seconds is None:
                unknown.append(part.kind)
            elif part.timed:
                timed += seconds
            else:
                calm += seconds
        return calm / (self.parallel or max(len(self.running_runs()), 1)) + timed, list(
            dict.fromkeys(unknown)
        )

    def _seconds_of(self, part: Part, state: RunState | None) -> float | None:
        """Estimate the remaining seconds of a step or evaluation; None if nothing is known.

        It is its own estimate if it reports one, else the median of its kind (in this sweep, else what former
        commands let expect, else what one under way says of itself) minus the time it has run.
        """
        if state is not None and (rest := _said(state)) is not None:
            return rest
        known = self.seconds.get(part.sort)
        usual = self.expected.get(part.key) if known is None else statistics.median(known.values())
        if usual is None:
            usual = self._under_way(part)
        if usual is None:
            return None
        passed = time.time() - state.at["since"] if state is not None else 0.0
        return max(usual - passed, 0.0)

    def _under_way(self, part: Part) -> float | None:
        """The whole time of another of this sort that runs, by its own estimate; None if none has one."""
        for state in self.running_runs():
            here = {one.sort for one in state.parts if one.key == state.at.get("key")}
            rest = _said(state) if part.sort in here else None
            if rest is not None:
                return time.time() - float(state.at["since"]) + rest
        return None


def _said(state: RunState) -> float | None:
    """The seconds that the step of a run says it still needs; None if it says nothing."""
    metrics = state.progress.get("metrics")
    if not isinstance(metrics, dict) or "eta_seconds" not in metrics:
        return None
    return seconds_of(metrics, "eta_seconds")


def seconds_of(event: Mapping[str, Any], name: str) -> float:
    """A number of an event; 0 where a stranger's record holds something else."""
    value = event.get(name)
    return float(value) if isinstance(value, int | float) and abs(value) < LARGEST else 0.0
