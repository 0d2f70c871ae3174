"""Runs as Ray tasks, on a Ray of this machine or on a cluster with a shared file system. The command waits
for them.

A task that dies (a crash, its node) fails its run only. Timings are taken last and one after the other, as
with local workers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ptx.execute.cluster.frozen import take_frozen
from ptx.execute.launchers import Ray
from ptx.execute.sweep import DONE, FAILED, INTERRUPTED, Outcome, finish, freeze
from ptx.hooks.host import Host
from ptx.hooks.run import Console
from ptx.plan.plan import RunPlan, SweepPlan

GRACE = 30.0  # seconds for tasks to end cleanly after an interrupt
SMALL = 100_000_000  # bytes of Ray's own object store: nothing travels but the names of folders


def hand_out(
    plan: SweepPlan,
    host: Host,
    console: Console,
    cluster: Ray,
    *,
    fail_fast: bool = False,
    retry_failed: bool = True,
) -> Outcome:
    """Execute every run that has no finished record."""
    import ray

    todo = freeze(plan, host, console, retry_failed=retry_failed)
    pending = todo.pending
    if not pending:
        return Outcome(0, todo.kept, (), left=todo.left)
    start(cluster)
    crew = Crew(plan, console, cluster, fail_fast=fail_fast)
    try:
        if any(measure.config.timed for run in pending for measure in run.evaluations) and len(pending) > 1:
            pending = crew.go([pending], timed=False)
            crew.go([[run] for run in pending], timed=True)
        else:
            crew.go([pending], timed=True)
    except KeyboardInterrupt:
        crew.interrupted = True
    finally:
        ray.shutdown()
    return Outcome(crew.done, todo.kept, tuple(crew.failed), crew.interrupted, left=todo.left)


def start(cluster: Ray) -> None:
    """Connect, or start a Ray here; its telemetry stays off."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    address = cluster.address or os.environ.get("RAY_ADDRESS")
    own: dict[str, Any] = {} if address else {"include_dashboard": False, "object_store_memory": SMALL}
    ray.init(address=address, log_to_driver=False, logging_level="error", **own)


class Crew:
    """Tasks under way, and the books of what came of them."""

    def __init__(self, plan: SweepPlan, console: Console, cluster: Ray, *, fail_fast: bool) -> None:
        import ray

        self.plan, self.console, self.fail_fast = plan, console, fail_fast
        self.task = ray.remote(num_cpus=cluster.cpus, num_gpus=cluster.gpus, max_retries=0)(take_frozen)
        self.failed: list[tuple[str, str]] = []
        self.done = 0
        self.interrupted = False

    def go(self, groups: Sequence[Sequence[RunPlan]], *, timed: bool) -> list[RunPlan]:
        """Execute the runs, those of a group side by side; returns those that did not fail."""
        left = []
        for group in groups:
            for run, result in self._results(group, timed=timed):
                if result["status"] == DONE:
                    self.done += 1
                if result["status"] == INTERRUPTED:
                    raise KeyboardInterrupt
                if result["status"] != FAILED:
                    left.append(run)
                    continue
                self.failed.append((run.id, result["error"]["message"]))
                self.console.say(
                    f"failed: {run.label}: {result['error']['type']}: {result['error']['message']}"
                )
                if self.fail_fast:
                    return []
        return [run for group in groups for run in group if run in left]

    def _results(self, runs: Sequence[RunPlan], *, timed: bool) -> Iterator[tuple[RunPlan, dict[str, Any]]]:
        """The runs' results as they come; leaving early cancels the others."""
        import ray

        started = time.time()
        tasks = {
            self.task.remote(str((self.plan.folder / run.id).absolute()), str(Path.cwd()), timed=timed): run
            for run in runs
        }
        for run in runs:
            self.console.say(
                f"[{self.plan.runs.index(run) + 1}/{len(self.plan.runs)}] {run.label}"
                + ("" if timed else " (steps)")
            )
        try:
            while tasks:
                ready, _ = ray.wait(list(tasks), num_returns=1, timeout=1.0)
                for ref in ready:
                    run = tasks.pop(ref)
                    yield run, self._result(ref, run, started)
        finally:
            for ref in tasks:
                ray.cancel(ref)
            if tasks:
                ray.wait(list(tasks), num_returns=len(tasks), timeout=GRACE)

    def _result(self, ref: Any, run: RunPlan, started: float) -> dict[str, Any]:
        import ray

        try:
            found: dict[str, Any] = ray.get(ref)
        except ray.exceptions.RayError as error:
            told = {
                "type": "TaskDied",
                "message": f"the Ray task died: {_first_line(error)}",
                "traceback": str(error),
            }
            finish(self.plan.folder / run.id, {"status": FAILED, "error": told}, started)
            return {"status": FAILED, "error": told}
        return found


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
