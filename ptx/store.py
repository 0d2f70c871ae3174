"""The store: finished steps and evaluations, found by what decides their content.

An entry is a folder ``KIND/KEY`` that appears in one rename and is complete when it is there::

    entry.json   the key's ingredients, what the builder returned, sizes and digests of the payload's files
    payload/     what the builder wrote

Work in progress lies in ``staging/KEY``: ``payload`` is emptied when work begins again, ``checkpoints`` is kept, so that a
step that was killed goes on where it stood.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx.errors import PtxError
from ptx.locks import held
from ptx.records import digest_of, file_digest, files_of, read_json, sync_folder, write_json


@dataclass(frozen=True)
class Identity:
    """What decides a result, and the key made of it."""

    kind: str  # "steps" or "evaluations"
    ingredients: dict[str, Any]

    @property
    def key(self) -> str:
        """sha256 of the ingredients, hex."""
        return digest_of(self.ingredients)


@dataclass(frozen=True)
class Entry:
    """A finished result in the store."""

    folder: Path
    meta: dict[str, Any]

    @property
    def payload(self) -> Path:
        """The folder that the builder wrote."""
        return self.folder / "payload"


@dataclass(frozen=True)
class Staging:
    """Where a builder works."""

    payload: Path
    checkpoints: Path
    events: Path


class Store:
    """A folder of finished results."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, identity: Identity) -> Entry | None:
        """The finished entry, if its record and its files' sizes are as they were written; a broken one is set aside."""
        folder = self.root / identity.kind / identity.key
        if not folder.is_dir():
            return None
        fault = self.fault(folder)
        if fault:
            self._quarantine(folder)
            return None
        return Entry(folder, read_json(folder / "entry.json")["meta"])

    def fault(self, folder: Path, *, digests: bool = False) -> str:
        """What is wrong with an entry, or an empty string. Sizes are compared, and on demand every digest."""
        try:
            files = read_json(folder / "entry.json")["files"]
        except (OSError, ValueError, KeyError) as error:
            return f"entry.json cannot be read: {error}"
        for name, (size, digest) in files.items():
            path = folder / "payload" / name
            if not path.is_file():
                return f"{name} is missing"
            if path.stat().st_size != size:
                return f"{name} has {path.stat().st_size} bytes, {size} were written"
            if digests and file_digest(path) != digest:
                return f"{name} has changed since it was written"
        return ""

    def fetch(
        self, identity: Identity, build: Callable[[Staging], dict[str, Any]], waiting: Callable[[str], None] = lambda _: None
    ) -> tuple[Entry, bool]:
        """The entry, and whether it was there already; otherwise ``build`` is called, once over all processes on this store."""
        found = self.find(identity)
        if found:
            return found, True
        with held(self.root / "locks" / identity.key, waiting):
            found = self.find(identity)
            if found:
                return found, True
            return self._build(identity, build), False

    def _build(self, identity: Identity, build: Callable[[Staging], dict[str, Any]]) -> Entry:
        work = self.root / "staging" / identity.key
        staging = Staging(work / "entry" / "payload", work / "checkpoints", work / "entry" / "payload" / "events.jsonl")
        shutil.rmtree(work / "entry", ignore_errors=True)
        staging.payload.mkdir(parents=True)
        staging.checkpoints.mkdir(exist_ok=True)
        try:
            meta = build(staging)
            record = {"kind": identity.kind, "key": identity.key, "ingredients": identity.ingredients, "meta": meta}
            files = {str(path.relative_to(staging.payload)): _seal(path) for path in files_of(staging.payload)}
            write_json(work / "entry" / "entry.json", {**record, "files": files})
        except BaseException:
            shutil.rmtree(work / "entry", ignore_errors=True)
            if not any(staging.checkpoints.iterdir()):
                shutil.rmtree(work, ignore_errors=True)
            raise
        folder = self.root / identity.kind / identity.key
        folder.parent.mkdir(parents=True, exist_ok=True)
        (work / "entry").rename(folder)
        sync_folder(folder.parent)
        shutil.rmtree(work, ignore_errors=True)
        return Entry(folder, meta)

    def _quarantine(self, folder: Path) -> None:
        aside = self.root / "quarantine" / folder.name
        aside.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
        try:
            folder.rename(aside)
        except OSError as error:
            raise PtxError(f"the damaged entry {folder} cannot be moved away: {error}") from error


def _seal(path: Path) -> tuple[int, str]:
    """Force a file to the disk; its size and digest."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return path.stat().st_size, file_digest(path)
