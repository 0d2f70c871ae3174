"""The state of a sweep, read from the records of its runs only.

The event files are read as they grow, so this works in the same way for runs in this process, in workers and
on a cluster. The remaining time is estimated from finished steps of the same kind. While no step of a kind
has finished, there is no estimate, and the missing kinds are named instead.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptx.execute.sweep import DONE, FAILED, PREPARED, status_of
from ptx.plan.plan import Measure, RunPlan, Step, SweepPlan

LEFT, RUNNING = "left", "running"


@dataclass
class RunState:
    """The state of one run, as its events tell it so far."""

    run: RunPlan
    journal: Path
    status: str
    position: int = 0
    #: key -> whether its result was in the store when this run first needed it
    finished: dict[str, bool] = field(default_factory=dict)
    at: dict[str, Any] = field(default_factory=dict)  # the running step: name, key, since
    progress: dict[str, Any] = field(default_factory=dict)  # the last event with its progress

    def parts(self) -> tuple[Step | Measure, ...]:
        """Return the steps and evaluations of the run."""
        return (*self.run.steps, *self.run.evaluations)


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


class Board:
    """The state of the sweep that a command runs.

    ``parallel`` is the number of runs at the same time (None: as many as are running now). Timings are always
    measured one after the other. ``expected`` holds the seconds of steps by key, from earlier commands; they
    count until one of the same kind has finished in this one.
    """

    def __init__(
        self,
        plan: SweepPlan,
        parallel: int | None,
        *,
        retry_failed: bool = True,
        expected: Mapping[str, float] | None = None,
    ) -> None:
        self.parallel, self.started = parallel, time.time()
        self.expected = expected or {}
        self.seconds: dict[str, list[float]] = {}
        self.runs = [self._initial_state(plan, run, retry_failed=retry_failed) for run in plan.runs]
        identities = {part.key: part.identity for state in self.runs for part in state.parts()}
        self.stored = {key for key, identity in identities.items() if plan.store.find(identity) is not None}

    def _initial_state(self, plan: SweepPlan, run: RunPlan, *, retry_failed: bool) -> RunState:
        folder = plan.folder / run.id
        status = status_of(folder)
        state = RunState(run, folder / "events.jsonl", status)
        for event in _new_events(state):
            self._apply(state, event)
        state.status = status if status == DONE or (status == FAILED and not retry_failed) else LEFT
        state.at = {}
        return state

    def read(self) -> None:
        """Read the new events of all runs."""
        for state in self.runs:
            for event in _new_events(state):
                self._apply(state, event)

    def _apply(self, state: RunState, event: dict[str, Any]) -> None:
        name = event.get("event")
        if name == "run_started":
            state.status = RUNNING
        elif name == "step_started":
            state.at, state.progress = (
                {"name": event["step"], "key": event["key"], "since": event["time"]},
                {},
            )
        elif name in ("log", "progress"):
            state.progress = event
        elif name == "step_finished":
            state.finished.setdefault(event["key"], event["shared"])
            state.at, state.progress = {}, {}
            kind = next((kind_of(part) for part in state.parts() if part.key == event["key"]), "")
            self.seconds.setdefault(kind, []).append(event["seconds"])
        elif name == "run_prepared":
            state.status, state.at = PREPARED, {}
        elif name == "run_finished":
            state.status, state.at = event["status"], {}

    def counts(self) -> Counts:
        """Return the current counts."""
        states = [state.status for state in self.runs]
        done, running, failed, prepared = (states.count(state) for state in (DONE, RUNNING, FAILED, PREPARED))
        steps = [
            (step.key, state.finished[step.key])
            for state in self.runs
            for step in state.run.steps
            if step.key in state.finished
        ]
        ran = len({key for key, shared in steps if not shared})
        asked = sum(len(state.run.steps) for state in self.runs)
        left = len(states) - done - running - failed
        return Counts(len(states), done, running, failed, left, prepared, asked, ran, len(steps) - ran)

    def running_runs(self) -> list[RunState]:
        """Return the runs that are running."""
        return [state for state in self.runs if state.status == RUNNING]

    def seconds_left(self) -> tuple[float, list[str]]:
        """Estimate the seconds until the end of the sweep.

        Returns:
            The seconds, and the kinds of steps of which none has finished; if there are any, the seconds mean
            nothing.
        """
        finished = self.stored.union(*(state.finished for state in self.runs))
        busy = {state.at["key"]: state for state in self.running_runs() if state.at}
        todo = {
            part.key: part
            for state in self.runs
            if state.status in (LEFT, RUNNING, PREPARED)
            for part in state.parts()
        }
        calm = timed = 0.0
        unknown = []
        for key, part in todo.items():
            if key in finished:
                continue
            seconds = self._seconds_of(part, busy.get(key))
            if seconds is None:
                unknown.append(kind_of(part))
            elif getattr(part.config, "timed", False):
                timed += seconds
            else:
                calm += seconds
        return calm / (self.parallel or max(len(self.running_runs()), 1)) + timed, list(
            dict.fromkeys(unknown)
        )

    def _seconds_of(self, part: Step | Measure, state: RunState | None) -> float | None:
        """Estimate the remaining seconds of a step or evaluation; None if nothing is known.

        It is its own estimate if it reports one, else the median of its kind (in this sweep, or what earlier
        commands let expect) minus the time it has run.
        """
        if state is not None and "eta_seconds" in state.progress.get("metrics", {}):
            return float(state.progress["metrics"]["eta_seconds"])
        known = self.seconds.get(kind_of(part))
        usual = self.expected.get(part.key) if known is None else statistics.median(known)
        if usual is None:
            return None
        passed = time.time() - state.at["since"] if state is not None else 0.0
        return max(usual - passed, 0.0)


def kind_of(part: Step | Measure) -> str:
    """Return the kind of a step: its choice, such as ``gptq``, whatever name a recipe gives to it."""
    return str(part.identity.ingredients.get("choice", part.name))


def _new_events(state: RunState) -> Iterator[dict[str, Any]]:
    """Yield the events that were added to the run's file; a line that a crash has cut short is skipped."""
    try:
        with state.journal.open("rb") as file:
            file.seek(state.position)
            whole = file.read().rpartition(b"\n")[0]
    except FileNotFoundError:
        return
    state.position += len(whole) + 1 if whole else 0
    for line in whole.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        yield event
