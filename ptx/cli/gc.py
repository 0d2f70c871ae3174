"""``ptx store gc``: which entries may go, and their going.

Conditions add up: an entry goes when it is older *and* larger *and* unreachable, as far as these were given;
``--keep-size`` then takes the least recently used of them until the rest fits. Never taken: what is being
built and what it is built from, what a sweep under way asks for, and the base of an adapter that stays.
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

#: a run without a result counts as under way while its events are younger than this
SECONDS_UNDER_WAY = 600.0


@dataclass(frozen=True)
class Conditions:
    """What the user wants gone; None: not asked for."""

    older_than: float | None = None  # seconds since last use
    larger_than: float | None = None  # bytes
    keep_size: float | None = None  # bytes
    reachable: frozenset[str] | None = None  # keys

    @property
    def any(self) -> bool:
        """Whether entries are to go at all."""
        return any(
            value is not None for value in (self.older_than, self.larger_than, self.keep_size, self.reachable)
        )


@dataclass(frozen=True)
class Selection:
    """What goes, and what would have gone but is in use: (entry, by whom)."""

    deleted: list[Entry]
    kept: list[tuple[Entry, str]]


def select(entries: Sequence[Entry], conditions: Conditions, in_use: dict[str, str]) -> Selection:
    """The entries that fit the conditions, least recently used first."""
    if not conditions.any:
        return Selection([], [])
    fitting = sorted((entry for entry in entries if _fits(entry, conditions)), key=lambda entry: entry.used)
    free = [entry for entry in fitting if entry.key not in in_use]
    if conditions.keep_size is not None:
        free = _least_recent_until_it_fits(free, sum(entry.bytes for entry in entries) - conditions.keep_size)
    gone = {entry.key for entry in free}
    bases = _bases([entry for entry in entries if entry.key not in gone], entries)
    kept = [(entry, in_use[entry.key]) for entry in fitting if entry.key in in_use]
    kept += [(entry, "an adapter that stays") for entry in free if entry.key in bases]
    return Selection([entry for entry in free if entry.key not in bases], kept)


def _fits(entry: Entry, conditions: Conditions) -> bool:
    return (
        (conditions.older_than is None or time.time() - entry.used > conditions.older_than)
        and (conditions.larger_than is None or entry.bytes > conditions.larger_than)
        and (conditions.reachable is None or entry.key not in conditions.reachable)
    )


def _least_recent_until_it_fits(entries: Sequence[Entry], excess: float) -> list[Entry]:
    taken: list[Entry] = []
    for entry in entries:
        if excess <= 0:
            break
        taken.append(entry)
        excess -= entry.bytes
    return taken


def _bases(kept: Sequence[Entry], entries: Sequence[Entry]) -> set[str]:
    """Steps whose payload an adapter that stays refers to."""
    known = {entry.key: entry.ingredients for entry in entries}
    adapters = [entry for entry in kept if (entry.record.get("meta") or {}).get("kind") == "adapter"]
    return {key for entry in adapters for key in chain_of(entry.ingredients, known)}


def in_use(store: Store, records: Sequence[Record]) -> dict[str, str]:
    """Key -> who needs it now."""
    sweeps = {record.folder.parent for record in records if _under_way(record)}
    waiting = [
        record for record in records if record.status == "unfinished" and record.folder.parent in sweeps
    ]
    used = {
        asked.key: f"the sweep {record.sweep_name} under way"
        for record in waiting
        for asked in requested_by(record)
    }
    return used | store.in_use()


def _under_way(record: Record) -> bool:
    events = record.folder / "events.jsonl"
    return (
        record.status == "unfinished"
        and events.is_file()
        and time.time() - events.stat().st_mtime < SECONDS_UNDER_WAY
    )


def size_of(folder: Path) -> int:
    """Size of all files below."""
    return sum(path.lstat().st_size for path in files_of(folder))


def remove_folder(folder: Path) -> None:
    """Delete a quarantined entry, dead work, or a dead lock."""
    shutil.rmtree(folder)
