"""The list of sweeps: how far each one is, without reading what its runs have measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ptx.cli.ui.folders import sweeps_below
from ptx.cli.ui.watch import LONGEST, Watch
from ptx.report.table.listing import stamp_of

MOST_SWEEPS = 5000
EVERY = 15  # looks; a sweep that nobody executes is looked at as seldom


class Sweeps:
    """All sweeps below a folder, as a source of a :class:`ptx.cli.ui.feed.Feed`."""

    def __init__(self, root: Path, timed: frozenset[str]) -> None:
        self.root, self.timed = root, timed
        self.folders: dict[str, Path] = {}
        self._watches: dict[str, Watch] = {}
        self._lines: dict[str, dict[str, Any]] = {}
        self._sent: dict[str, dict[str, Any]] = {}
        self._stamps: dict[str, Any] = {}
        self._turn = 0

    def find(self, name: str) -> Path | None:
        """The folder of a sweep; only what lies below the root has a name."""
        if name not in self.folders:
            self.folders = sweeps_below(self.root)
        return self.folders.get(name)

    def look(self) -> None:
        """Look for new sweeps, and at those that are being executed."""
        self.folders = dict(list(sweeps_below(self.root).items())[:MOST_SWEEPS])
        self._watches = {name: one for name, one in self._watches.items() if name in self.folders}
        lines = {}
        for place, (name, folder) in enumerate(self.folders.items()):
            before = self._lines.get(name)
            stamp = [
                stamp_of(f"{folder}{file}") for file in ("", "/sweep.json", "/sweep.lock", "/search.lock")
            ]
            due = (place + self._turn) % EVERY == 0
            if before and not before["alive"] and not due and self._stamps.get(name) == stamp:
                lines[name] = before
                continue
            self._stamps[name] = stamp
            watch = self._watches.setdefault(name, Watch(folder, self.timed))
            watch.look()
            lines[name] = line_of_sweep(name, watch)
            if not lines[name]["alive"]:
                del self._watches[name]  # its records are read again when it is executed again
        self._turn += 1
        self._lines = lines

    def everything(self) -> dict[str, Any]:
        """All lines."""
        return {"sweeps": self._lines, "all": True}

    def news(self) -> dict[str, Any]:
        """The lines that differ; None for a sweep that is gone."""
        gone: dict[str, Any] = dict.fromkeys(self._sent.keys() - self._lines.keys())
        changed = {name: line for name, line in self._lines.items() if self._sent.get(name) != line}
        self._sent = dict(self._lines)
        return {"sweeps": changed | gone} if changed or gone else {}


def line_of_sweep(name: str, watch: Watch) -> dict[str, Any]:
    """What the list shows of one sweep."""
    shown = watch.shown()
    models = {
        str((one.run.get("model") or {}).get("name", ""))[:80]
        for one in watch.records.runs.values()
        if one.run
    }
    return {
        "name": name,
        **{key: shown[key] for key in ("created", "alive", "counts", "rest")},
        "command": shown["command"][:LONGEST],
        "models": sorted(models - {""})[:6],
        "now": [
            [one["label"], one["step"], one["what"], one["at"], one["of"]] for one in shown["running"][:3]
        ],
    }
