"""Execute a frozen run on another machine; the job is given the run's folder and nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ptx import machine
from ptx.execute.worker import execute_frozen
from ptx.files import read_json, write_json
from ptx.guard.secrets import masked_output
from ptx.hooks.host import get_host
from ptx.store.entry import Identity


class LogConsole:
    """A console that prints into the log of the job."""

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, flush=True)

    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        """Print nothing: the run's events.jsonl holds the progress."""


def run_frozen(folder: str, working_folder: str, *, timed: bool = True) -> dict[str, Any]:
    """Execute the run that is frozen in ``folder``; returns its status and, if it failed, the error.

    ``working_folder`` is the folder in which the user typed the command: relative paths start there.
    """
    os.chdir(working_folder)  # the user's ptxfile.py is found there
    record_this_machine(Path(folder))
    with masked_output():  # the log of the job is the engine's own file
        return execute_frozen(get_host(), Path(folder), LogConsole(), timed=timed)


def record_this_machine(folder: Path) -> None:
    """Write the facts of this machine into the frozen run, because timings are measured on it.

    The keys of evaluations that depend on the machine are computed anew.
    """
    record = read_json(folder / "run.json")
    for part in record["evaluations"]:
        if "machine" in part["ingredients"]:
            part["ingredients"]["machine"] = machine.hardware()
            part["key"] = Identity("evaluations", part["ingredients"]).key
    write_json(folder / "run.json", record | {"host": machine.facts()})
