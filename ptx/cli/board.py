"""Where a sweep stands, told from the records of its runs alone.

The journals are read on as they grow, so it is the same for runs in this process, in workers and on a
cluster. The time that is left comes from steps of the same kind that have finished; while a kind has not
finished once there is no such time, and the kinds that are missing are named instead.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptx.execute.sweep import DONE, FAILED, PREPARED, status_of
from ptx.plan.plan import Measure, RunPlan, Step, SweepPlan

LEFT, RUNNING = "left", "running"


@dataclass
class Seen:
    """What a run's journal has told so far."""

    run: RunPlan
    journal: Path
    state: str
    position: int = 0
    finished: dict[str, bool] = field(
        default_factory=dict
    )  # key -> was it in the store when this run first came to it
    at: dict[str, Any] = field(default_factory=dict)  # the step under way: name, key, since
    progress: dict[str, Any] = field(default_factory=dict)  # the last it reported

    def parts(self) -> tuple[Step | Measure, ...]:
        """Its steps and evaluations."""
        return (*self.run.steps, *self.run.evaluations)


@dataclass(frozen=True)
class Counts:
    """How many runs are in which state, and how many of the steps that were asked for have run or were
    shared.
    """

    runs: int
    done: int
    running: int
    failed: int
    left: int
    prepared: int  # of those left: all but their timings is done
    steps: int
    ran: int
    shared: int


class Board:
    """The state of one command's sweep. ``parallel`` is how many runs go on at a time (None: as many as do at
    the moment); timings never do.
    """

    def __init__(self, plan: SweepPlan, parallel: int | None, *, retry_failed: bool = True) -> None:
        self.parallel, self.started = parallel, time.time()
        self.seconds: dict[str, list[float]] = {}
        self.runs = [self._seen(plan, run, retry_failed=retry_failed) for run in plan.runs]
        identities = {part.key: part.identity for seen in self.runs for part in seen.parts()}
        self.stored = {key for key, identity in identities.items() if plan.store.find(identity) is not None}

    def _seen(self, plan: SweepPlan, run: RunPlan, *, retry_failed: bool) -> Seen:
        folder = plan.folder / run.id
        status = status_of(folder)
        seen = Seen(run, folder / "events.jsonl", status)
        for event in _new_events(seen):
            self._take(seen, event)
        seen.state = status if status == DONE or (status == FAILED and not retry_failed) else LEFT
        seen.at = {}
        return seen

    def read(self) -> None:
        """Take in what the journals have gained."""
        for seen in self.runs:
            for event in _new_events(seen):
                self._take(seen, event)

    def _take(self, seen: Seen, event: dict[str, Any]) -> None:
        name = event.get("event")
        if name == "run_started":
            seen.state = RUNNING
        elif name == "step_started":
            seen.at, seen.progress = {"name": event["step"], "key": event["key"], "since": event["time"]}, {}
        elif name in ("log", "progress"):
            seen.progress = event
        elif name == "step_finished":
            seen.finished.setdefault(event["key"], event["shared"])
            seen.at, seen.progress = {}, {}
            kind = next((kind_of(part) for part in seen.parts() if part.key == event["key"]), "")
            self.seconds.setdefault(kind, []).append(event["seconds"])
        elif name == "run_prepared":
            seen.state, seen.at = PREPARED, {}
        elif name == "run_finished":
            seen.state, seen.at = event["status"], {}

    def counts(self) -> Counts:
        """The numbers of the moment."""
        states = [seen.state for seen in self.runs]
        done, running, failed, prepared = (states.count(state) for state in (DONE, RUNNING, FAILED, PREPARED))
        steps = [
            (step.key, seen.finished[step.key])
            for seen in self.runs
            for step in seen.run.steps
            if step.key in seen.finished
        ]
        ran = len({key for key, shared in steps if not shared})
        asked = sum(len(seen.run.steps) for seen in self.runs)
        left = len(states) - done - running - failed
        return Counts(len(states), done, running, failed, left, prepared, asked, ran, len(steps) - ran)

    def under_way(self) -> list[Seen]:
        """The runs that are at work."""
        return [seen for seen in self.runs if seen.state == RUNNING]

    def seconds_left(self) -> tuple[float, list[str]]:
        """Seconds until the end, and the kinds of steps on which nothing is known yet; with such a kind the
        seconds mean nothing.
        """
        finished = self.stored.union(*(seen.finished for seen in self.runs))
        busy = {seen.at["key"]: seen for seen in self.under_way() if seen.at}
        todo = {
            part.key: part
            for seen in self.runs
            if seen.state in (LEFT, RUNNING, PREPARED)
            for part in seen.parts()
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
        return calm / (self.parallel or max(len(self.under_way()), 1)) + timed, list(dict.fromkeys(unknown))

    def _seconds_of(self, part: Step | Measure, seen: Seen | None) -> float | None:
        """What a part still takes: what it says itself, else what its kind took, less what it has had
        already.
        """
        if seen is not None and "eta_seconds" in seen.progress.get("metrics", {}):
            return float(seen.progress["metrics"]["eta_seconds"])
        known = self.seconds.get(kind_of(part))
        if known is None:
            return None
        passed = time.time() - seen.at["since"] if seen is not None else 0.0
        return max(statistics.median(known) - passed, 0.0)


def kind_of(part: Step | Measure) -> str:
    """What a step is, such as ``gptq``: the choice, whatever a recipe calls it."""
    return str(part.identity.ingredients.get("choice", part.name))


def _new_events(seen: Seen) -> Iterator[dict[str, Any]]:
    """The whole lines that a journal has gained; one that a crash has cut is passed over."""
    try:
        with seen.journal.open("rb") as file:
            file.seek(seen.position)
            whole = file.read().rpartition(b"\n")[0]
    except FileNotFoundError:
        return
    seen.position += len(whole) + 1 if whole else 0
    for line in whole.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        yield event
