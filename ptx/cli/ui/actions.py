"""The two buttons: interrupt the process that executes a sweep, and run the sweep's command again.

Both do what a person would do in a terminal. Interrupting is Ctrl-C for the process that holds the sweep's
lock: its runs are recorded as interrupted, and what is finished stays in the store. Running again is the
command of the record in a process of its own, which outlives the page.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from ptx.cli.ui.watch import LOCKS, Watch
from ptx.guard.scratch import outliving
from ptx.guard.secrets import mask_file
from ptx.store.locks import pid_of

LOG = "ui.log"
RETRY = "--retry-failed"
#: verbs whose commands make runs; another one in a record was not written by ptx
MAKERS = ("train", "make", "compress", "eval", "export", "sweep")


class ActionError(Exception):
    """Why a button cannot do what it says."""


def interrupt(folder: Path) -> str:
    """Interrupt the process that executes the sweep; returns what was done.

    Raises:
        ActionError: no process on this machine executes it.
    """
    pid = next((pid for name in LOCKS if (pid := pid_of(folder / name)) is not None), None)
    if pid is None:
        raise ActionError("no process on this machine executes this sweep")
    try:
        os.kill(pid, _signal_for(pid))
    except OSError as error:
        raise ActionError(f"process {pid} cannot be interrupted: {error.strerror}") from error
    return f"process {pid} was asked to stop; what is finished stays in the store"


def _signal_for(pid: int) -> signal.Signals:
    """SIGINT where the process listens to it, as in a notebook; a background job of a shell ignores it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return signal.SIGINT
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
    return signal.SIGINT if int(caught, 16) >> (signal.SIGINT - 1) & 1 else signal.SIGTERM


def command_of(watch: Watch) -> list[str]:
    """The words of the command that continues a sweep and tries its failed runs again.

    Raises:
        ActionError: the record names no command of ptx that makes runs.
    """
    text = str(watch.records.sweep.get("command", ""))
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    if len(words) < 2 or words[0] != "ptx" or words[1] not in MAKERS:
        raise ActionError(f"the record names no command that could be run again: {text[:200]!r}")
    several = "-m" in words or "--multirun" in words or words[1] == "sweep"
    return [*words, RETRY] if several and RETRY not in words else words


def place_of(watch: Watch) -> Path:
    """The folder in which the command was typed, so that its relative paths mean the same again.

    Raises:
        ActionError: neither this folder nor the one above the output folder can be it.
    """
    outs = {
        str((one.run.get("config") or {}).get("out", "")) for one in watch.records.runs.values() if one.run
    }
    folder = watch.folder.resolve()
    for out in sorted(outs - {""}):
        depth = len(Path(out).parts) + 2  # OUT/runs/NAME
        above = [Path.cwd(), *folder.parents[depth - 1 : depth]]
        for place in above:
            if (place / out / "runs" / folder.name).resolve() == folder:
                return place
    raise ActionError("start `ptx ui` in the folder in which the sweep was started: its paths are relative")


class Again:
    """The commands that were started by a button, each with its log in the sweep's folder."""

    def __init__(self) -> None:
        self.started: dict[Path, subprocess.Popen[bytes]] = {}

    def start(self, watch: Watch) -> str:
        """Run the command of a sweep again; returns what was done.

        Raises:
            ActionError: it is being executed, or cannot be started.
        """
        watch.look()
        running = self.started.get(watch.folder)
        if watch.alive or (running is not None and running.poll() is None):
            raise ActionError("this sweep is being executed already")
        words, place = command_of(watch), place_of(watch)
        try:
            with outliving(), (watch.folder / LOG).open("ab") as log:
                self.started[watch.folder] = subprocess.Popen(
                    [sys.executable, "-m", "ptx", *words[1:]],
                    cwd=place,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            raise ActionError(f"the command cannot be started: {error}") from error
        return f"started: {shlex.join(words)}"

    def outcome(self, folder: Path) -> dict[str, Any]:
        """How a command that a button started stands: starting, or ended with a code and a log."""
        process = self.started.get(folder)
        code = process.poll() if process is not None else None
        if process is not None and code is None:
            return {"starting": True}
        if process is None or code in (0, 130):
            return {}
        try:
            mask_file(folder / LOG)  # what the command's own children wrote did not pass its streams
            text = (folder / LOG).read_text(encoding="utf-8", errors="replace")
        except OSError:
            text = ""
        return {"code": code, "log": text[-3000:]}
