"""The records of one sweep, read again only where their files have changed.

Asking 1,000 runs whether they have changed takes some milliseconds, reading them half a second. So every
record is kept beside the stamps of its files (inode, size, times). A file that changed within the last
seconds is not trusted to have another stamp when it changes again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ptx.files import read_json
from ptx.guard.names import fault_of
from ptx.report.table.listing import FILES, SECONDS_UNSURE, Stamp, stamp_of
from ptx.report.table.records import Record, read_run


class Records:
    """The runs of a sweep's folder; :meth:`look` finds what has changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sweep: dict[str, Any] = {}
        self.runs: dict[str, Record] = {}  # by the name of their folder, in the order of the sweep
        self.gone = False
        self._stamps: dict[str, list[Stamp]] = {}
        self._sweep_stamp: Stamp | None = None
        self._planned: list[str] = []

    def look(self) -> set[str]:
        """The names of the runs that are new, changed, or gone since the last look."""
        names = self._names()
        changed = {name for name in self.runs if name not in names}
        runs: dict[str, Record] = {}
        for name in names:
            stamp = [stamp_of(f"{self.folder}/{name}/{file}") for file in FILES]
            if name not in self.runs or stamp != self._stamps.get(name):
                runs[name] = self._read(name, there=bool(stamp[0]))
                changed.add(name)
            else:
                runs[name] = self.runs[name]
            self._stamps[name] = [] if runs[name].status == "unreadable" and _is_young(stamp) else stamp
        self.runs = runs
        return changed

    def _names(self) -> list[str]:
        """The runs' folders: those that sweep.json plans, or all if it plans none."""
        stamp = stamp_of(f"{self.folder}/sweep.json")
        self.gone = not stamp and not self.folder.is_dir()
        if stamp != self._sweep_stamp and (read := object_in(self.folder / "sweep.json")) is not None:
            self.sweep, self._sweep_stamp = read, None if _is_young([stamp]) else stamp
            given = read.get("runs")
            texts = map(str, given) if isinstance(given, list) else ()
            self._planned = list(dict.fromkeys(name for name in texts if not fault_of(name)))
        return self._planned or sorted(_folders(self.folder))

    def _read(self, name: str, *, there: bool) -> Record:
        folder = self.folder / name
        if there:
            return read_run(folder, self.sweep)
        head = {"id": name, "label": name, "sweep": self.sweep.get("name", self.folder.name)}
        return Record(folder, "planned", run=head, sweep=self.sweep)


def object_in(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None while it cannot be read: it may be half written, or be deleted."""
    try:
        found = read_json(path)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _folders(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (one.name for one in entries if os.path.isfile(f"{one.path}/run.json"))  # noqa: PTH113
    except OSError:
        return


def _is_young(stamp: list[Stamp]) -> bool:
    latest = max((one[2] for one in stamp if one), default=0)
    return abs(time.time() - latest / 1e9) < SECONDS_UNSURE
