"""The store: finished steps, evaluations and by-products of steps, found by what decides their content.

An entry is a folder ``KIND/KEY``. It appears by one rename, so it is complete as soon as it exists::

    entry.json     the key's ingredients, what the builder returned, sizes and digests of the payload's files
    entry.sha256   digest of entry.json; its time stamp is the time of last use
    payload/       the files that the builder wrote

Work in progress lies in ``staging/KEY/OWNER``, one folder per builder. So a builder that was taken for dead
cannot write into the work of the process that took over. ``checkpoints`` are passed on to the next builder,
so that a step that was killed resumes where it stood. A damaged entry is moved to ``quarantine/KEY``, never
deleted at once.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ptx.errors import PtxError, StoppedError
from ptx.files import files_of, read_json, sync_folder, write_json
from ptx.store.entry import Entry, Identity, fault_of, origins_of, read_record, seal
from ptx.store.locks import SILENCE, Lock, LockLostError, held, owner_of, try_acquire

__all__ = ["KINDS", "WORKING", "Entry", "Identity", "Staging", "Store"]

KINDS = ("steps", "evaluations", "products")
WORKING = ("staging", "locks", "quarantine")  # the folders beside them
#: how many broken copies of one entry are kept
GENERATIONS = 3
KEY = re.compile("[0-9a-f]{64}")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Staging:
    """The folders and the event log that a builder writes to."""

    payload: Path
    checkpoints: Path
    events: Path


def _quiet(_text: str) -> None:
    """Ignore a message."""


class Store:
    """A folder of finished results.

    A builder on another machine counts as dead after ``silence`` seconds without a sign of life.
    """

    def __init__(self, root: Path, silence: float = SILENCE) -> None:
        self.root = root
        self.silence = silence

    def folder_of(self, identity: Identity) -> Path:
        """The folder of the entry, whether or not it exists."""
        return self.root / identity.kind / identity.key

    def entries(self) -> list[Entry]:
        """All entries, damaged ones included, also what stands in the place of one and is no folder."""
        folders = [
            folder
            for kind in KINDS
            for folder in sorted((self.root / kind).glob("*"))
            if folder.is_dir() or KEY.fullmatch(folder.name)
        ]
        return [Entry(folder, read_record(folder)) for folder in folders]

    def find(self, identity: Identity, *, used: bool = False) -> Entry | None:
        """The entry, if its record and the sizes of its files are as they were written; changes nothing.

        With ``used`` the content of its small files is compared too.
        """
        folder = self.folder_of(identity)
        whole = folder.is_dir() and not self.fault(folder, used=used)
        return Entry(folder, read_record(folder)) if whole else None

    def fault(
        self,
        folder: Path,
        *,
        digests: bool = False,
        used: bool = False,
        seen: Callable[[int], None] = lambda _: None,
    ) -> str:
        """The fault of an entry in words, empty when there is none (:func:`ptx.store.entry.fault_of`)."""
        return fault_of(folder, digests=digests, used=used, seen=seen)

    def fetch(
        self,
        identity: Identity,
        build: Callable[[Staging], dict[str, Any]],
        waiting: Say = _quiet,
        noticed: Say = _quiet,
    ) -> tuple[Entry, bool]:
        """The entry, and whether it existed before; if not, ``build`` makes it.

        Of all processes on this store one calls ``build``, the others wait for it.

        Args:
            identity: what decides the result.
            build: writes the payload and returns the facts that :attr:`Entry.meta` keeps.
            waiting: called with the owner's name when another process is building the entry.
            noticed: called with a sentence for a damaged entry, and for work that was taken over.
        """
        while True:
            found = self.find(identity, used=True)
            if found is None:
                self._need_room(identity)
                try:
                    with held(self.root / "locks" / identity.key, waiting, silence=self.silence) as lock:
                        found = self.find(identity, used=True)
                        if found is None:
                            return self._build(identity, build, lock, noticed), False
                except LockLostError as error:
                    noticed(f"{error}; its result is used")
                    continue
            with contextlib.suppress(OSError):  # a store that cannot be written to still serves
                os.utime(found.folder / "entry.sha256")
            return found, True

    def quarantine(self, folder: Path, fault: str) -> Path:
        """Move a damaged entry to the quarantine, with a note of its fault. The caller holds its lock."""
        home = self.root / "quarantine" / folder.name
        try:
            home.mkdir(parents=True, exist_ok=True)
            older = sorted(int(path.name) for path in home.iterdir() if path.name.isdigit())
            aside = home / str(older[-1] + 1 if older else 0)
            folder.rename(aside)
        except OSError as error:
            raise PtxError(f"the damaged entry {folder} ({fault}) cannot be moved away: {error}") from error
        for number in older[: 1 - GENERATIONS]:
            shutil.rmtree(home / str(number), ignore_errors=True)
        with contextlib.suppress(OSError):  # on a full disk the entry is out of the way all the same
            write_json(aside / "fault.json", {"kind": folder.parent.name, "fault": fault, "found": _now()})
        return aside

    def owner(self, key: str) -> str:
        """The process that is building an entry, in words; empty when there is none."""
        return owner_of(self.root / "locks" / key, self.silence)

    def set_aside(self, entry: Entry, fault: str) -> Path | None:
        """Quarantine a damaged entry; None when another process holds its lock."""
        with self._lock_if_free(entry.key) as lock:
            return self.quarantine(entry.folder, fault) if lock else None

    def remove(self, entry: Entry) -> bool:
        """Delete an entry; False when another process holds its lock.

        The entry is renamed first, so that no process ever finds half of it.
        """
        with self._lock_if_free(entry.key) as lock:
            if lock is None or not os.path.lexists(entry.folder):
                return False
            trash = self.root / "staging" / entry.key / lock.token
            trash.mkdir(parents=True)
            entry.folder.rename(trash / "entry")
            shutil.rmtree(trash)
            _remove_empty(trash.parent)
            return True

    @contextlib.contextmanager
    def _lock_if_free(self, key: str) -> Iterator[Lock | None]:
        lock = try_acquire(self.root / "locks" / key, self.silence)
        try:
            yield lock
        finally:
            if lock is not None:
                lock.release()

    def staged_bytes(self, key: str) -> int:
        """The size of the work in progress on an entry, also of a builder that ended without finishing."""
        work = self.root / "staging" / key
        return sum(file.stat().st_size for file in files_of(work)) if work.is_dir() else 0

    def abandoned_work(self) -> list[Path]:
        """The staging folders and locks of builders that ended without finishing."""
        folders = [folder for name in ("staging", "locks") for folder in sorted((self.root / name).glob("*"))]
        return [folder for folder in folders if not self.owner(folder.name)]

    def in_use(self) -> dict[str, str]:
        """Key -> the process that needs it: entries that are being built, and the steps they build on."""
        busy: dict[str, str] = {}
        inputs = {entry.key: entry.ingredients for entry in self.entries()}
        for folder in (self.root / "locks").glob("*"):
            if owner := self.owner(folder.name):
                busy[folder.name] = owner
                for note in (self.root / "staging" / folder.name).glob("*/identity.json"):
                    with contextlib.suppress(OSError, ValueError):  # it has just finished
                        busy |= dict.fromkeys(origins_of(read_json(note)["ingredients"], inputs), owner)
        return busy

    def _need_room(self, identity: Identity) -> None:
        """Raise when the entry must be built and the store cannot be written to."""
        folder = self.root
        while not folder.exists():
            folder = folder.parent
        if not os.access(folder, os.W_OK | os.X_OK):
            entry = self.folder_of(identity)
            lacks = (
                f"holds a damaged one ({self.fault(entry, used=True)})"
                if os.path.lexists(entry)
                else "does not hold it"
            )
            what = f"{identity.ingredients.get('choice', identity.kind)} {identity.key[:12]}"
            raise PtxError(
                f"{what} must be built, but {folder} cannot be written to and the store there {lacks}; "
                "make it writable, or build elsewhere with out=/another/disk/ptx-out"
            )

    def _build(
        self, identity: Identity, build: Callable[[Staging], dict[str, Any]], lock: Lock, noticed: Say
    ) -> Entry:
        if lock.previous:
            noticed(f"took over from {lock.previous}, which ended without finishing")
        folder = self.folder_of(identity)
        if os.path.lexists(folder) and (fault := self.fault(folder, used=True)):
            noticed(
                f"the entry in the store is damaged ({fault}); it is kept in {self.quarantine(folder, fault)}"
                " and built again"
            )
        work = self.root / "staging" / identity.key / lock.token
        staging = Staging(
            work / "entry" / "payload", work / "checkpoints", work / "entry" / "payload" / "events.jsonl"
        )
        try:
            _inherit(work)
            staging.payload.mkdir(parents=True)
            write_json(work / "identity.json", {"kind": identity.kind, "ingredients": identity.ingredients})
            meta = build(staging)
            seal(
                work / "entry",
                {
                    "kind": identity.kind,
                    "key": identity.key,
                    "ingredients": identity.ingredients,
                    "meta": meta,
                },
            )
            lock.check()
            _publish(work / "entry", folder)
        except BaseException as error:
            lost = not lock.is_mine()
            useless = lost or isinstance(error, StoppedError) or not _has_files(staging.checkpoints)
            shutil.rmtree(work if useless else work / "entry", ignore_errors=True)
            _remove_empty(work.parent)
            if lost and isinstance(error, Exception) and not isinstance(error, LockLostError):
                lock.check()  # whatever failed here, another process builds the entry now
            raise
        shutil.rmtree(work, ignore_errors=True)
        _remove_empty(work.parent)
        return Entry(folder, read_record(folder))


def _inherit(work: Path) -> None:
    """Create a builder's folder with the checkpoints of the previous builder, and delete its other files."""
    work.mkdir(parents=True)
    others = [path for path in work.parent.iterdir() if path != work]
    for other in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True):
        if _has_files(other / "checkpoints") and not (work / "checkpoints").exists():
            (other / "checkpoints").rename(work / "checkpoints")
        shutil.rmtree(other, ignore_errors=True)
    (work / "checkpoints").mkdir(exist_ok=True)


def _publish(entry: Path, folder: Path) -> None:
    """Rename a finished entry into its place; the first of several builders wins."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        entry.rename(folder)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise LockLostError("another process has finished the same work first") from error
        raise
    sync_folder(folder.parent)
    sync_folder(folder.parent.parent)


def _has_files(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
