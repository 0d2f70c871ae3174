"""One entry of the store: its key, its record, how it is sealed and how it is checked."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ptx.files import digest_of, file_digest, files_of, read_json, sync_folder, write_json
from ptx.guard.reading import read_bytes

#: bytes; a smaller file is read at every use of its entry, so that a flipped byte in settings, curves or rows
#: is found there. Weights are read by ``ptx store verify``: that would cost more than the store saves
READ_AT_USE = 8 * 2**20
STAMP = 2**10  # bytes: more than a digest and a name


@dataclass(frozen=True)
class Identity:
    """Everything that decides a result, and the key that is made of it."""

    kind: str  # "steps", "evaluations" or "products"
    ingredients: dict[str, Any]

    @property
    def key(self) -> str:
        """sha256 of the ingredients, hex."""
        return digest_of(self.ingredients)


@dataclass(frozen=True)
class Entry:
    """A result in the store; ``record`` is its entry.json, empty when that cannot be read."""

    folder: Path
    record: dict[str, Any]

    @property
    def payload(self) -> Path:
        """The folder that the builder wrote."""
        return self.folder / "payload"

    @property
    def key(self) -> str:
        """The key of the entry: the name of its folder."""
        return self.folder.name

    @property
    def kind(self) -> str:
        """The kind of result: steps, evaluations or products."""
        return self.folder.parent.name

    @property
    def meta(self) -> dict[str, Any]:
        """The facts that the builder returned."""
        return dict(self.record["meta"])

    @property
    def ingredients(self) -> dict[str, Any]:
        """The ingredients that the key is made of."""
        return self.record.get("ingredients") or {}

    @cached_property
    def bytes(self) -> int:
        """The size of all files of the entry."""
        return sum(path.stat().st_size for path in files_of(self.folder))

    @property
    def created(self) -> float:
        """The time at which the entry was finished, in seconds of the epoch."""
        return float(self.record.get("created") or self.used)

    @property
    def used(self) -> float:
        """The time at which a run last used the entry, in seconds of the epoch."""
        stamped = [
            path
            for path in (self.folder / "entry.sha256", self.folder / "entry.json", self.folder)
            if path.exists()
        ]
        return stamped[0].stat().st_mtime if stamped else 0.0


def step_that_made(folder: Path, digest: str) -> str:
    """The key of the step that made the model in ``folder``, where that lies in a store as it was made.

    A run's folder links to its model there. Empty where the folder lies elsewhere, or has changed since.
    """
    folder = folder.resolve()
    entry = next((above.parent for above in folder.parents if above.name == "payload"), None)
    if entry is None or entry.parent.name != "steps":
        return ""
    record = read_record(entry)
    if not record or record.get("key") != entry.name:
        return ""
    made = record["meta"].get("model"), record["meta"].get("digest")
    return entry.name if made == (str(folder.relative_to(entry / "payload")), digest) else ""


def fault_of(
    folder: Path, *, digests: bool = False, used: bool = False, seen: Callable[[int], None] = lambda _: None
) -> str:
    """The fault of an entry in words; empty when there is none.

    Sizes are always compared, digests of the files with ``digests``, and with ``used`` those of the files of
    at most :data:`READ_AT_USE` bytes. ``seen`` is called with the size of every file that has been checked.
    """
    if not folder.is_dir():
        return "it is no folder"
    record = read_record(folder)
    fault = _record_fault(folder, record)
    if fault:
        return fault
    for name, (size, digest) in record["files"].items():
        compared = digests or (used and size <= READ_AT_USE)
        fault = _file_fault(folder / "payload" / name, name, size, digest if compared else "")
        seen(size)
        if fault:
            return fault
    extra = sorted(
        {str(path.relative_to(folder / "payload")) for path in files_of(folder / "payload")}
        - set(record["files"])
    )
    return f"{extra[0]} was added later" if digests and extra else ""


def _record_fault(folder: Path, record: dict[str, Any]) -> str:
    if not record:
        return "entry.json is missing or cannot be read"
    try:
        stamp = read_bytes(folder / "entry.sha256", STAMP).decode(errors="replace")
    except PermissionError:  # of another user: that is no damage
        raise
    except (OSError, ValueError):
        return "entry.sha256 is missing or cannot be read"
    if stamp.partition(" ")[0] != file_digest(folder / "entry.json"):
        return "entry.json has changed since it was written"
    if record.get("key") != folder.name:
        return f"entry.json belongs to another key ({str(record.get('key'))[:12]})"
    return ""


def read_record(folder: Path) -> dict[str, Any]:
    """The content of entry.json; empty when it is missing, incomplete, or no JSON.

    Raises:
        PermissionError: this user may not read it.
    """
    try:
        record = read_json(folder / "entry.json")
    except PermissionError:
        raise
    except (OSError, ValueError):
        return {}
    complete = (
        isinstance(record, dict)
        and isinstance(record.get("files"), dict)
        and all(map(_is_described, record["files"].values()))
        and isinstance(record.get("meta"), dict)
        and isinstance(record.get("ingredients") or {}, dict)
        and isinstance(record.get("created") or 0.0, int | float)
    )
    return record if complete else {}


def _is_described(file: Any) -> bool:
    """Whether a file of the payload is described by its size and its digest."""
    return isinstance(file, list) and len(file) == 2 and type(file[0]) is int and isinstance(file[1], str)


def _file_fault(path: Path, name: str, size: int, digest: str) -> str:
    if not path.is_file():
        return f"{name} is missing"
    if path.stat().st_size != size:
        return f"{name} has {path.stat().st_size} bytes, {size} were written"
    if digest and file_digest(path) != digest:
        return f"{name} has changed since it was written"
    return ""


def seal(entry: Path, record: dict[str, Any]) -> None:
    """Write entry.json with the size and digest of every file, and force everything to the disk."""
    payload = entry / "payload"
    files = {
        str(path.relative_to(payload)): (path.stat().st_size, file_digest(path)) for path in files_of(payload)
    }
    write_json(entry / "entry.json", {**record, "files": files, "created": round(time.time(), 3)})
    (entry / "entry.sha256").write_text(f"{file_digest(entry / 'entry.json')}  entry.json\n")
    for path in files_of(entry):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    for folder, _, _ in os.walk(entry, topdown=False):
        sync_folder(Path(folder))


def chain_of(ingredients: dict[str, Any], known: dict[str, dict[str, Any]]) -> list[str]:
    """The keys of the steps whose models a result was made from, the last one first.

    The chain ends at a step whose ingredients are not in ``known`` (key -> ingredients).
    """
    found = []
    while isinstance(source := ingredients.get("input"), dict) and "step" in source:
        found.append(str(source["step"]))
        ingredients = known.get(found[-1], {})
    return found


def origins_of(ingredients: dict[str, Any], known: dict[str, dict[str, Any]]) -> list[str]:
    """The keys of all steps that a result was made from: their models, further models and data."""
    found: list[str] = []
    todo = [ingredients]
    while todo:
        one = todo.pop()
        sources = [one.get("input"), one.get("data"), *(one.get("models") or {}).values()]
        keys = [str(part["step"]) for part in sources if isinstance(part, dict) and "step" in part]
        new = [key for key in keys if key not in found]
        found += new
        todo += [known.get(key, {}) for key in new]
    return found
