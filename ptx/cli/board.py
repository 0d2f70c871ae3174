"""The state of the sweep that a command runs, read from the records of its runs only."""

from __future__ import annotations

import time
from collections.abc import Mapping

from ptx.cli.journal import Journal
from ptx.cli.progress import LEFT, Part, Progress, RunState
from ptx.execute.sweep import DONE, FAILED, status_of
from ptx.plan.plan import Measure, RunPlan, Step, SweepPlan


class Board(Progress):
    """The state of the sweep that a command runs; what it has not finished counts as left."""

    def __init__(
        self,
        plan: SweepPlan,
        parallel: int | None,
        *,
        retry_failed: bool = True,
        expected: Mapping[str, float] | None = None,
    ) -> None:
        identities = {part.key: part.identity for run in plan.runs for part in _parts_of(run)}
        found = {key: plan.store.find(identity) for key, identity in identities.items()}
        stored = {key: entry.meta for key, entry in found.items() if entry is not None}
        super().__init__([], parallel, expected=expected, stored=stored)
        self.started = time.monotonic()
        self.runs = [self._initial_state(plan, run, retry_failed=retry_failed) for run in plan.runs]
        for state in self.runs:
            for key in {part.key for part in state.parts} & stored.keys():
                self.took(state, {**stored[key], "key": key})

    def _initial_state(self, plan: SweepPlan, run: RunPlan, *, retry_failed: bool) -> RunState:
        folder = plan.folder / run.id
        status = status_of(folder)
        parts = tuple(map(_part, _parts_of(run)))
        state = RunState(run.id, run.label, parts, Journal(folder / "events.jsonl"))
        for event in state.journal.new():
            self.apply(state, event)
        state.status = status if status == DONE or (status == FAILED and not retry_failed) else LEFT
        state.at = {}
        return state


def _parts_of(run: RunPlan) -> list[Step | Measure]:
    return [*run.steps, *run.evaluations]


def _part(part: Step | Measure) -> Part:
    kind = str(part.identity.ingredients.get("choice", part.name))
    return Part(part.name, part.key, kind, isinstance(part, Step), bool(getattr(part.config, "timed", False)))
