"""Run a sweep as Ray tasks, on this machine or on a Ray cluster with a shared file system.

The command waits until all tasks have ended. When a task dies (it crashes, or its node goes down), only its
run fails. Timings are measured last and one after the other, as with local workers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ptx.execute.cluster.frozen import run_frozen
from ptx.execute.launchers import Ray
from ptx.execute.sweep import DONE, FAILED, INTERRUPTED, Outcome, freeze, write_result
from ptx.guard.scratch import place_outside
from ptx.hooks.host import Host
from ptx.hooks.run import Console
from ptx.plan.plan import RunPlan, SweepPlan

GRACE = 30.0  # seconds for tasks to end cleanly after an interrupt
OBJECT_STORE = 100_000_000  # bytes of Ray's own object store; only names of folders are sent


def run_on_ray(
    plan: SweepPlan,
    host: Host,
    console: Console,
    cluster: Ray,
    *,
    fail_fast: bool = False,
    retry_failed: bool = True,
) -> Outcome:
    """Execute every run that has no finished record; wait until all have ended."""
    import ray

    todo = freeze(plan, host, console, retry_failed=retry_failed)
    pending = todo.pending
    if not pending:
        return Outcome(0, todo.kept, (), left=todo.left)
    connect(cluster)
    runner = TaskRunner(plan, console, cluster, fail_fast=fail_fast)
    try:
        if any(measure.config.timed for run in pending for measure in run.evaluations) and len(pending) > 1:
            pending = runner.run_all([pending], timed=False)
            runner.run_all([[run] for run in pending], timed=True)
        else:
            runner.run_all([pending], timed=True)
    except KeyboardInterrupt:
        runner.interrupted = True
    finally:
        ray.shutdown()
    return Outcome(runner.done, todo.kept, tuple(runner.failed), runner.interrupted, left=todo.left)


#: Ray's variable for clusters of several machines; without them all its ports are on loopback
ONE_MACHINE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


def connect(cluster: Ray) -> None:
    """Connect to the Ray cluster, or start Ray on this machine; telemetry is switched off."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_TMPDIR", place_outside())  # its sockets must have short names
    address = cluster.address or os.environ.get("RAY_ADDRESS")
    if not address and cluster.listen == "loopback":
        os.environ[ONE_MACHINE] = "0"  # read when Ray is imported
    import ray

    own: dict[str, Any] = {} if address else {"include_dashboard": False, "object_store_memory": OBJECT_STORE}
    ray.init(address=address, log_to_driver=False, logging_level="error", **own)


class TaskRunner:
    """Executes runs as Ray tasks, and counts which are done and which failed."""

    def __init__(self, plan: SweepPlan, console: Console, cluster: Ray, *, fail_fast: bool) -> None:
        import ray

        self.plan, self.console, self.fail_fast = plan, console, fail_fast
        self.task = ray.remote(num_cpus=cluster.cpus, num_gpus=cluster.gpus, max_retries=0)(run_frozen)
        self.failed: list[tuple[str, str]] = []
        self.done = 0
        self.interrupted = False

    def run_all(self, groups: Sequence[Sequence[RunPlan]], *, timed: bool) -> list[RunPlan]:
        """Execute groups of runs, one group after another; returns the runs that did not fail.

        The runs of one group are executed at the same time.
        """
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
        """Yield each run with its result when it ends; closing the iterator cancels the remaining tasks."""
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
            died = {
                "type": "TaskDied",
                "message": f"the Ray task died: {_first_line(error)}",
                "traceback": str(error),
            }
            write_result(self.plan.folder / run.id, {"status": FAILED, "error": died}, started)
            return {"status": FAILED, "error": died}
        return found


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
