"""A worker process: it executes frozen runs one after the other and keeps the ML libraries it has imported.

``python -m ptx.execute.worker FD`` reads one JSON object per line from standard input, ``{"folder": run
folder, "timed": bool}``. It writes messages to the file descriptor FD, one per line: ``say``, ``progress``,
``done``. With ``timed`` false the run is only prepared: its steps, and the measurements that other work
beside them cannot disturb, go into the store, and no result is written. A worker whose parent has died
interrupts its run and ends.
"""

from __future__ import annotations

import faulthandler
import json
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

from ptx.errors import ConfigError
from ptx.execute.sweep import DONE, FAILED, PREPARED, attempt, error_record, run_one, write_result
from ptx.files import append_event, read_json
from ptx.guard.secrets import masked_output
from ptx.hooks.host import Host, get_host
from ptx.hooks.run import Console
from ptx.plan.replan import replan


class PipeConsole:
    """A console that sends its lines through a pipe to the parent process."""

    def __init__(self, file: TextIO) -> None:
        self.file = file

    def send(self, **message: Any) -> None:
        """Write one line."""
        self.file.write(json.dumps(message) + "\n")
        self.file.flush()

    def say(self, text: str) -> None:
        """Print a line on the parent's console."""
        self.send(say=text)

    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        """Show progress on the parent's console."""
        self.send(progress=[label, metrics, step, total])


def main(descriptor: int) -> None:
    """Execute the runs that are named on standard input, until it ends."""
    faulthandler.enable()  # a crash in native code leaves its Python stack in the worker's log
    pipe = PipeConsole(os.fdopen(descriptor, "w", encoding="utf-8"))
    jobs: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        host = get_host()
        while (job := jobs.get()) is not None:
            pipe.send(done=execute_frozen(host, Path(job["folder"]), pipe, timed=job["timed"]))
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)


def _listen(jobs: queue.Queue[dict[str, Any] | None]) -> None:
    """Put the jobs from standard input into the queue; at its end, interrupt this process.

    Standard input ends when the parent has died, or has no more jobs.
    """
    for line in sys.stdin:
        jobs.put(json.loads(line))
    jobs.put(None)
    os.kill(os.getpid(), signal.SIGTERM)  # SIGINT is ignored in the background of a script


def execute_frozen(host: Host, folder: Path, console: Console, *, timed: bool = True) -> dict[str, Any]:
    """Execute the frozen run in ``folder``; returns its status and, if it failed, the error."""
    started, clock = time.time(), time.perf_counter()
    try:
        plan = replan(host, read_json(folder / "run.json"))
    except ConfigError as error:
        write_result(folder, {"status": FAILED, "error": error_record(error)}, started)
        return {"status": FAILED, "error": error_record(error)}
    if timed:
        result = run_one(plan, folder, host, console)
        return {"status": result["status"], "error": result["error"]}
    untimed = tuple(measure for measure in plan.evaluations if not measure.config.timed)
    result = attempt(plan.measuring(untimed), folder, host, console)
    if result["status"] == DONE:
        # write no result.json, not even for a moment: after a kill the run would be done without its timings
        result["status"] = PREPARED
        append_event(folder / "events.jsonl", "run_prepared")
    else:
        result = write_result(folder, result, started, time.perf_counter() - clock)
    return {"status": result["status"], "error": result["error"]}


if __name__ == "__main__":
    with masked_output():
        main(int(sys.argv[1]))
