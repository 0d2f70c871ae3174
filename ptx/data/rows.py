"""The rows of a file that a plugin reads itself: questions, requests, verdicts, stored replies.

They come through the reader of all data (:mod:`ptx.data.read`), so such a file may have any of its formats,
encodings, separators and compressions, and what is wrong with it is said in the same words. Everything that
is wrong is raised at once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ptx.data.files import find_files, suffix_of
from ptx.data.read import read_records, read_text
from ptx.data.records import Fault, Record, findings
from ptx.errors import ConfigError, Problem
from ptx.guard.reading import regular

__all__ = ["Record", "made_of", "read_text", "rows_of", "suffix_of"]

T = TypeVar("T")


def rows_of(file: Path) -> list[Record]:
    """Every row of a file, with its place.

    Raises:
        ConfigError: the file, or some of its rows, cannot be read.
        OSError: there is no such file.
    """
    return made_of(file, lambda record: record)


def made_of(file: Path, make: Callable[[Record], T], fix: str = "") -> list[T]:
    """What ``make`` makes of every row of a file.

    Raises:
        ConfigError: with every kind of fault of the file, and every kind of ValueError that ``make`` raised,
            by file and line, with ``fix`` as what would be right.
        OSError: there is no such file.
    """
    records, faults = read_records(find_files(regular(file), ())[""][0])
    made = []
    for record in records:
        try:
            made.append(make(record))
        except ValueError as error:
            faults.append(Fault(record, str(error), fix))
    if faults:
        raise ConfigError(findings(faults, len(records)))
    if not made:
        raise ConfigError(Problem(f"file {file.name} holds no rows", "put at least one row into it"))
    return made
