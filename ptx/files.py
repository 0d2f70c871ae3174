"""Atomic writing of files, JSON and JSON lines, and the digests of files and folders.

Everything that must survive a kill or a power cut is written here. Plugins may import this module.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO, cast

from ptx.guard import places, reading
from ptx.guard.secrets import Masking, masked

MOST_RECORD_BYTES = 2**30  # a record of a run may hold answers; a device has no end


def cache_folder() -> Path:
    """The folder of generated and downloaded inputs.

    ``$PTX_CACHE``, else ``$XDG_CACHE_HOME/ptx``, else ``~/.cache/ptx``.
    """
    return places.cache()


def files_of(folder: Path) -> list[Path]:
    """Every file below ``folder``, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(folder: Path) -> str:
    """sha256 over the names and contents of every file below ``folder``, hex."""
    return digest_of({str(file.relative_to(folder)): file_digest(file) for file in files_of(folder)})


def digest_of(value: Any) -> str:
    """sha256 of ``value`` as canonical JSON, hex."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


@contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """A text file to write to; ``path`` holds either the old or the new text, also after a power cut.

    Secrets of the environment are written as references (:mod:`ptx.guard.secrets`). Half a surrogate pair is
    written as JSON escapes it.
    """
    with (
        _staged(path) as staged,
        staged.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file,
    ):
        yield cast("TextIO", Masking(file))
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _staged(path: Path) -> Iterator[Path]:
    """A place beside ``path`` that takes its name when it has been written."""
    staged = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield staged
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with writing(path) as file:
        file.write(text)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file of bytes, whole or not at all."""
    with _staged(path) as staged, staged.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, whole or not at all."""
    with writing(path) as file:
        file.write(json.dumps(value, indent=2, default=_plain, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The value of a JSON file; whatever is wrong with it is an error that names it (a ValueError)."""
    return reading.read_json(path, MOST_RECORD_BYTES)


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines, one line per row, whole or not at all."""
    with writing(path) as file:
        for row in rows:
            file.write(json.dumps(row, default=_plain, ensure_ascii=False) + "\n")


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file of JSON lines; none if it does not exist, and not a last line that a crash cut."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def append_event(path: Path, event: str, **fields: Any) -> None:
    """Append one line to an event log, without a buffer: the line survives the death of this process.

    Raises:
        OSError: when the disk is full; then the log ends with the line before.
    """
    line = json.dumps(
        {"time": round(time.time(), 3), "event": event, **fields}, default=_plain, ensure_ascii=False
    )
    with path.open("ab", buffering=0) as file:
        start, encoded = file.tell(), f"{masked(line)}\n".encode(errors="backslashreplace")
        if file.write(encoded) < len(encoded):  # the disk is full: half a line would spoil the next one
            file.truncate(start)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def sync_folder(folder: Path) -> None:
    """Force the names in ``folder`` to the disk, so that a rename there survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "__dataclass_fields__"):
        return asdict(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
