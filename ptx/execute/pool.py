"""Run a sweep in worker processes on this machine.

Each worker has its share of the cores and one GPU, and keeps the libraries it has imported. When a worker
dies (a segmentation fault, the kernel's out-of-memory killer), its run fails and the worker is replaced.
Timings are measured last, one run at a time, with no other work beside them: a latency that is measured next
to a training is the latency of a disturbed machine. A run without timings is finished where it ran first.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from ptx import machine
from ptx.execute.ahead import read_ahead
from ptx.execute.process import exit_text, last_lines
from ptx.execute.sweep import DONE, FAILED, INTERRUPTED, Outcome, freeze, write_result
from ptx.guard.masked_log import MaskedLog
from ptx.hooks.host import Host
from ptx.hooks.run import Console
from ptx.plan.plan import RunPlan, SweepPlan

GRACE = 30.0  # seconds for a run to end cleanly after an interrupt


class Worker:
    """One worker process, as its parent sees it."""

    def __init__(self, number: int, count: int, threads: int, log: Path) -> None:
        self.number, self.count, self.threads, self.log = number, count, threads, MaskedLog(log)
        self.process: subprocess.Popen[str] | None = None
        self.lines: TextIO | None = None

    def _start(self) -> None:
        self._close_pipes()  # of a worker that has died
        reading, writing = os.pipe()
        environ = os.environ | {name: str(self.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        gpus = machine.visible_gpus()
        if gpus:
            environ["CUDA_VISIBLE_DEVICES"] = gpus[self.number % len(gpus)]
        with self.log.writing(append=True) as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ptx.execute.worker", str(writing)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[writing],
                env=environ,
                text=True,
            )
        os.close(writing)
        self.lines = os.fdopen(reading, encoding="utf-8")

    def run(self, folder: Path, console: Console, *, timed: bool) -> dict[str, Any]:
        """Execute the run in the worker; returns its result.

        If the worker dies, the run is recorded as failed.
        """
        started = time.time()
        if self.process is None or self.process.poll() is not None:
            self._start()
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.lines is not None
        self.process.stdin.write(json.dumps({"folder": str(folder), "timed": timed}) + "\n")
        self.process.stdin.flush()
        for line in self.lines:
            message = json.loads(line)
            if "done" in message:
                done: dict[str, Any] = message["done"]
                return done
            if "say" in message:
                console.say(message["say"])
            else:
                console.progress(*message["progress"])
        code = self.process.wait()
        self.log.wait()
        error = {
            "type": "WorkerDied",
            "message": exit_text(code, "the worker"),
            "traceback": last_lines(self.log.path),
        }
        write_result(folder, {"status": FAILED, "error": error}, started)
        return {"status": FAILED, "error": error}

    def interrupt(self) -> None:
        """Interrupt the run that the worker executes."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)  # a job in the background of a script ignores SIGINT

    def close(self) -> None:
        """End the worker; kill it if it does not end within GRACE seconds."""
        if self.process is None:
            return
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        else:
            self._close_pipes()

    def _close_pipes(self) -> None:
        """Close the pipes of a worker that has ended."""
        for pipe in (self.process.stdin if self.process else None, self.lines):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self.log.wait()


class Pool:
    """Workers that execute runs from a queue; counts which runs are done and which failed."""

    def __init__(
        self, plan: SweepPlan, console: Console, count: int, threads: int, *, fail_fast: bool
    ) -> None:
        threads = threads or max((os.cpu_count() or 1) // count, 1)
        self.plan, self.console, self.fail_fast = plan, SharedConsole(console), fail_fast
        self.workers = [Worker(n, count, threads, plan.folder / f"worker-{n}.log") for n in range(count)]
        self.failed: list[tuple[str, str]] = []
        self.done = 0
        self.stop = threading.Event()

    def run_all(self, runs: Sequence[RunPlan], workers: Sequence[Worker], *, timed: bool) -> list[RunPlan]:
        """Execute the runs in the workers; returns the runs that did not fail.

        Raises:
            KeyboardInterrupt: on Ctrl-C, after the running runs were interrupted.
        """
        jobs = deque(_different_first_steps_first(runs))
        threads = [
            threading.Thread(target=self._serve, args=(worker, jobs, timed), daemon=True)
            for worker in workers
        ]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                time.sleep(0.05)
        except KeyboardInterrupt:
            self.stop.set()
            for worker in workers:
                worker.interrupt()
            for thread in threads:
                thread.join(GRACE)
            raise
        names = {name for name, _ in self.failed}
        return [run for run in runs if run.id not in names]

    def _serve(self, worker: Worker, jobs: deque[RunPlan], timed: bool) -> None:
        while not self.stop.is_set():
            try:
                run = jobs.popleft()
            except IndexError:
                return
            for following in list(jobs)[:1]:
                read_ahead(following.model.path)
            whole = timed or not has_timings(run)
            self.console.say(
                f"[{self.plan.runs.index(run) + 1}/{len(self.plan.runs)}] {run.label}"
                + ("" if whole else " (steps)")
            )
            result = worker.run(self.plan.folder / run.id, self.console.named(run.label), timed=whole)
            if result["status"] == DONE:
                self.done += 1
            elif result["status"] == FAILED:
                self.failed.append((run.id, result["error"]["message"]))
                self.console.say(
                    f"failed: {run.label}: {result['error']['type']}: {result['error']['message']}"
                )
                if self.fail_fast:
                    self.stop.set()
            elif result["status"] == INTERRUPTED:
                self.stop.set()

    def close(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.close()


def has_timings(run: RunPlan) -> bool:
    """Whether a run ends with measurements that other work beside them would disturb."""
    return any(measure.config.timed for measure in run.evaluations)


def _different_first_steps_first(runs: Sequence[RunPlan]) -> list[RunPlan]:
    """Return the runs in an order in which neighbours begin with different steps.

    Workers then build different steps and do not wait for one another.
    """
    begun: dict[str, int] = {}
    turns = []
    for run in runs:
        first = run.steps[0].key if run.steps else run.id
        turns.append(begun.get(first, 0))
        begun[first] = turns[-1] + 1
    return [run for _, run in sorted(zip(turns, runs, strict=True), key=lambda pair: pair[0])]


class SharedConsole:
    """One console for several workers: it prints one line at a time, with the label of its run in front."""

    def __init__(self, console: Console, prefix: str = "", lock: threading.Lock | None = None) -> None:
        self.console, self.prefix, self.lock = console, prefix, lock or threading.Lock()

    def named(self, label: str) -> SharedConsole:
        """Return a console for the lines of one run."""
        return SharedConsole(self.console, f"{label}: ", self.lock)

    def say(self, text: str) -> None:
        """Print a line."""
        with self.lock:
            self.console.say(f"{self.prefix}{text}")

    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        """Show the progress of a step."""
        with self.lock:
            self.console.progress(f"{self.prefix}{label}", metrics, step, total)


def run_in_workers(
    plan: SweepPlan,
    host: Host,
    console: Console,
    count: int,
    *,
    threads: int = 0,
    fail_fast: bool = False,
    retry_failed: bool = True,
) -> Outcome:
    """Execute every run that has no finished record in ``count`` worker processes."""
    todo = freeze(plan, host, console, retry_failed=retry_failed)
    pending = todo.pending
    pool = Pool(plan, console, count, threads, fail_fast=fail_fast)
    interrupted = False
    try:
        if count > 1:
            pending = [run for run in pool.run_all(pending, pool.workers, timed=False) if has_timings(run)]
        pool.run_all([] if pool.stop.is_set() else pending, pool.workers[:1], timed=True)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        pool.close()
    return Outcome(pool.done, todo.kept, tuple(pool.failed), interrupted, left=todo.left)
