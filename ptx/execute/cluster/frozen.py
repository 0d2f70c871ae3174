"""A frozen run on another machine: its folder is all that is sent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ptx import machine
from ptx.execute.worker import take
from ptx.files import read_json, write_json
from ptx.hooks.host import get_host
from ptx.store.entry import Identity


class Log:
    """A console that is the engine's log; what matters is in the run's events."""

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, flush=True)

    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        """Leave it to events.jsonl."""


def take_frozen(folder: str, desk: str, *, timed: bool = True) -> dict[str, Any]:
    """Execute the run frozen in ``folder`` as if in the working folder ``desk``; returns its status and, if
    it failed, the error.
    """
    os.chdir(desk)  # where the user's ptxfile.py and relative paths are
    settle(Path(folder))
    return take(get_host(), Path(folder), Log(), timed=timed)


def settle(folder: Path) -> None:
    """Timings are those of the machine they are taken on: write this one into the frozen run and its keys."""
    record = read_json(folder / "run.json")
    for part in record["evaluations"]:
        if "machine" in part["ingredients"]:
            part["ingredients"]["machine"] = machine.hardware()
            part["key"] = Identity("evaluations", part["ingredients"]).key
    write_json(folder / "run.json", record | {"host": machine.facts()})
