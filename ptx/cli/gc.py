"""Selects the entries of the store that ``ptx store gc`` deletes, and deletes leftovers.

An entry is deleted only if it meets all conditions that were given: it is older, *and* larger, *and*
unreachable. ``--keep-size`` then deletes the least recently used of them until the store fits. Never deleted
are: an entry that is being built and the entries it is built from, what a running sweep needs, and the base
of an adapter that stays in the store.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ptx.cli.keys import requested_by
from ptx.files import files_of
from ptx.report import Record
from ptx.store.entry import chain_of
from ptx.store.store import Entry, Store

#: a run without a result counts as running while its last event is younger than this
SECONDS_ACTIVE = 600.0


@dataclass(frozen=True)
class Conditions:
    """The conditions that an entry must meet to be deleted; None: no condition."""

    older_than: float | None = None  # seconds since last use
    larger_than: float | None = None  # bytes
    keep_size: float | None = None  # bytes
    reachable: frozenset[str] | None = None  # keys that stay

    @property
    def any(self) -> bool:
        """Whether any condition was given; without one no entry is deleted."""
        return any(
            value is not None for value in (self.older_than, self.larger_than, self.keep_size, self.reachable)
        )


@dataclass(frozen=True)
class Selection:
    """The entries to delete, and those that meet the conditions but are in use: (entry, used by what)."""

    deleted: list[Entry]
    kept: list[tuple[Entry, str]]


def select(entries: Sequence[Entry], conditions: Conditions, in_use: dict[str, str]) -> Selection:
    """Select the entries that meet the conditions, the least recently used first.

    ``in_use`` is key -> what uses the entry (see :func:`in_use`).
    """
    if not conditions.any:
        return Selection([], [])
    matching = sorted(
        (entry for entry in entries if _matches(entry, conditions)), key=lambda entry: entry.used
    )
    free = [entry for entry in matching if entry.key not in in_use]
    if conditions.keep_size is not None:
        free = _least_recent_until_it_fits(free, sum(entry.bytes for entry in entries) - conditions.keep_size)
    gone = {entry.key for entry in free}
    bases = _bases([entry for entry in entries if entry.key not in gone], entries)
    kept = [(entry, in_use[entry.key]) for entry in matching if entry.key in in_use]
    kept += [(entry, "an adapter that stays") for entry in free if entry.key in bases]
    return Selection([entry for entry in free if entry.key not in bases], kept)


def _matches(entry: Entry, conditions: Conditions) -> bool:
    return (
        (conditions.older_than is None or time.time() - entry.used > conditions.older_than)
        and (conditions.larger_than is None or entry.bytes > conditions.larger_than)
        and (conditions.reachable is None or entry.key not in conditions.reachable)
    )


def _least_recent_until_it_fits(entries: Sequence[Entry], excess: float) -> list[Entry]:
    chosen: list[Entry] = []
    for entry in entries:
        if excess <= 0:
            break
        chosen.append(entry)
        excess -= entry.bytes
    return chosen


def _bases(kept: Sequence[Entry], entries: Sequence[Entry]) -> set[str]:
    """Return the keys of the steps whose model is the base of an adapter that stays."""
    known = {entry.key: entry.ingredients for entry in entries}
    adapters = [entry for entry in kept if (entry.record.get("meta") or {}).get("kind") == "adapter"]
    return {key for entry in adapters for key in chain_of(entry.ingredients, known)}


def in_use(store: Store, records: Sequence[Record]) -> dict[str, str]:
    """Return key -> what needs the entry now: a process that builds, or a running sweep."""
    sweeps = {record.folder.parent for record in records if _is_active(record)}
    waiting = [
        record for record in records if record.status == "unfinished" and record.folder.parent in sweeps
    ]
    used = {
        asked.key: f"the running sweep {record.sweep_name}"
        for record in waiting
        for asked in requested_by(record)
    }
    return used | store.in_use()


def _is_active(record: Record) -> bool:
    events = record.folder / "events.jsonl"
    return (
        record.status == "unfinished"
        and events.is_file()
        and time.time() - events.stat().st_mtime < SECONDS_ACTIVE
    )


def size_of(folder: Path) -> int:
    """Return the size in bytes of all files below ``folder``."""
    return sum(path.lstat().st_size for path in files_of(folder))


def remove_folder(folder: Path) -> None:
    """Delete a quarantined entry, or the files or lock of a process that was killed; or what lies there."""
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    else:
        folder.unlink()
