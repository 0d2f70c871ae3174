"""A worker: a process that takes frozen runs one after the other and keeps the ML libraries it has imported.

``python -m ptx.execute.worker FD`` reads one JSON object a line from standard input, ``{"folder": run folder,
"timed": bool}``, and writes what happens to the file descriptor FD, a line each: ``say``, ``progress``,
``done``. Without ``timed`` the run is prepared only: its steps and those measurements that other work beside
it cannot disturb go into the store, and no result is written. A worker whose parent has died interrupts its
run and ends.
"""

from __future__ import annotations

import dataclasses
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
from ptx.execute.sweep import DONE, FAILED, PREPARED, attempt, explain, finish, run_one
from ptx.files import append_event, read_json
from ptx.hooks.host import Host, get_host
from ptx.plan.planner import replan


class Pipe:
    """A console at the other end of a pipe."""

    def __init__(self, file: TextIO) -> None:
        self.file = file

    def send(self, **message: Any) -> None:
        """Write one line."""
        self.file.write(json.dumps(message) + "\n")
        self.file.flush()

    def say(self, text: str) -> None:
        """Print a line over there."""
        self.send(say=text)

    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        """Show progress over there."""
        self.send(progress=[label, metrics, step, total])


def main(descriptor: int) -> None:
    """Serve until standard input ends."""
    faulthandler.enable()  # a crash in native code leaves its Python stack in the worker's log
    pipe = Pipe(os.fdopen(descriptor, "w", encoding="utf-8"))
    jobs: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        host = get_host()
        while (job := jobs.get()) is not None:
            pipe.send(done=take(host, Path(job["folder"]), pipe, timed=job["timed"]))
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)


def _listen(jobs: queue.Queue[dict[str, Any] | None]) -> None:
    """Jobs from standard input; its end means that the parent is gone, or has no more to do."""
    for line in sys.stdin:
        jobs.put(json.loads(line))
    jobs.put(None)
    os.kill(os.getpid(), signal.SIGINT)


def take(host: Host, folder: Path, console: Any, *, timed: bool = True) -> dict[str, Any]:
    """Execute the frozen run in ``folder``; returns its status and, if it failed, the error."""
    started = time.time()
    try:
        plan = replan(host, read_json(folder / "run.json"))
    except ConfigError as error:
        finish(folder, {"status": FAILED, "error": explain(error)}, started)
        return {"status": FAILED, "error": explain(error)}
    if timed:
        result = run_one(plan, folder, host, console)
        return {"status": result["status"], "error": result["error"]}
    calm = tuple(measure for measure in plan.evaluations if not measure.config.timed)
    result = attempt(dataclasses.replace(plan, evaluations=calm), folder, host, console)
    if (
        result["status"] == DONE
    ):  # no result may stand there, not for a moment: a kill would leave a run without its timings
        result["status"] = PREPARED
        append_event(folder / "events.jsonl", "run_prepared")
    else:
        result = finish(folder, result, started)
    return {"status": result["status"], "error": result["error"]}


if __name__ == "__main__":
    main(int(sys.argv[1]))
