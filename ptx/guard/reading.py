"""The one place where files that users and strangers wrote are opened and parsed.

A file is read only if it is a regular one (a pipe or a device never ends), not larger than its kind ever is,
and text; JSON is bounded in depth (YAML: :mod:`ptx.guard.plain_yaml`). Whatever is wrong becomes a
:class:`FileError` that names the file, the line and the fault; it is a ConfigError for the command line and a
ValueError for callers that go on without the file. A file that is missing stays an OSError.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ptx.errors import ConfigError, Problem, PtxError

MB = 2**20
MOST_BYTES = 64 * MB  # of a file of settings; a tokenizer of 256,000 tokens has 35 MB
MOST_DATA = 1024 * MB  # of a file of rows that is read as a whole
DEEPEST = 64  # values inside values
BRACKETS = "[{"


class FileError(ConfigError, ValueError):
    """A file that cannot be used: which one, what is wrong, and what would be right."""

    def __init__(self, path: Path | str, what: str, fix: str = "") -> None:
        super().__init__(Problem(f"{path}: {what}", fix))
        self.what, self.fix = what, fix


def regular(path: Path, most_bytes: int | None = None) -> Path:
    """``path``, if it is a regular file (or a link to one) of at most ``most_bytes``.

    Raises:
        FileError: it is something else, or larger.
        OSError: there is none.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise FileError(path, f"it is {kind_of(found.st_mode)}, not a file", "name a file")
    if most_bytes is not None and found.st_size > most_bytes:
        what = f"it has {found.st_size:,} bytes, more than the {most_bytes:,} that such a file may have"
        raise FileError(path, what, "is it the right file?")
    return path


def is_there(text: str) -> bool:
    """Whether a text of the user is the path of something, be it a link that leads nowhere."""
    try:
        return os.path.lexists(Path(text).expanduser())
    except (OSError, ValueError, RuntimeError):  # too long, a null byte, the home of nobody
        return False


def kind_of(mode: int) -> str:
    """What a path is that is no regular file, in words."""
    kinds = {
        stat.S_IFREG: "a file",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")


def read_bytes(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """The content of a regular file."""
    return regular(path, most_bytes).read_bytes()


def read_text(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """The text of a regular file; a byte order mark at its beginning is dropped."""
    try:
        return read_bytes(path, most_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"it is not UTF-8 text (byte {error.start} is 0x{error.object[error.start]:02x})"
        raise FileError(path, what, "write it in UTF-8") from error


def parse_json(text: str, name: Path | str) -> Any:
    """The value of a JSON text; ``name`` is what an error calls it."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise FileError(name, f"it is not JSON: {error.msg} at {where}") from error
    except RecursionError as error:
        raise FileError(name, f"its values lie more than {DEEPEST} deep in each other") from error
    except ValueError as error:  # a number of 10,000 digits
        raise FileError(name, f"a number in it cannot be read: {error}") from error
    if is_too_deep(text, value):
        raise FileError(name, f"its values lie more than {DEEPEST} deep in each other")
    return value


def is_too_deep(text: str, value: Any, deepest: int = DEEPEST) -> bool:
    """Whether the value of a JSON text nests deeper than ``deepest``; few brackets need no look."""
    if sum(map(text.count, BRACKETS)) <= deepest:
        return False
    level, depth = [value], 0
    while level and depth <= deepest:
        level = [inner for one in level if isinstance(one, dict | list) for inner in _inside(one)]
        depth += 1
    return bool(level)


def _inside(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def read_json(path: Path, most_bytes: int = MOST_BYTES) -> Any:
    """The value of a JSON file."""
    return parse_json(read_text(path, most_bytes), path)


def read_object(path: Path, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """The object that a JSON file holds."""
    value = read_json(path, most_bytes)
    if not isinstance(value, dict):
        raise FileError(path, f"it holds a {type(value).__name__}, not an object", 'write {"name": value}')
    return value


def reason(error: BaseException) -> str:
    """An exception in words: a bare ``KeyError('nope')`` shows as ``'nope'``, which says nothing.

    An OSError is its cause and the file, without the number.
    """
    if isinstance(error, KeyError):
        return f"there is no {error.args[0]!r}" if error.args else "a key is missing"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{f' ({os.fspath(error.filename)!s})' if error.filename else ''}"
    if isinstance(error, RecursionError):
        return "it refers to itself, or lies too deep"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextmanager
def understood(what: Path | str, fix: str = "") -> Iterator[None]:
    """The border around code that interprets a user's file: any exception there is a fault of the file.

    ptx's own errors pass; so do those of the system (:mod:`ptx.guard.system`) and the user's interruption.

    Raises:
        FileError: anything else was raised inside.
    """
    try:
        yield
    except (PtxError, OSError):
        raise
    except Exception as error:
        raise FileError(what, reason(error), fix) from error
