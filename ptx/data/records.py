"""Rows with their places, and the faults of rows: equal ones are told once, with a count.

A fault is a sentence. What stands behind ``, got`` in it is the value of one row and not part of its kind, so
a file with 400 numbers in place of texts has one finding and not 400.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from ptx.data.findings.catalogue import CATALOGUE
from ptx.errors import Problem

Row = dict[str, Any]
PLACES = 4  # places that a finding names
KINDS = 12  # kinds of faults that are told of one file


class Record(NamedTuple):
    """A row, and where it comes from: the ``unit`` (line or row) number ``line`` of ``file``."""

    file: str
    line: int
    row: Row
    unit: str = "line"

    @property
    def place(self) -> str:
        """The position in words: ``file my.jsonl line 17``."""
        return f"file {self.file} {self.unit} {self.line}" if self.line else f"file {self.file}"


@dataclass(frozen=True)
class Table:
    """The rows of one file (or of the shards of one split)."""

    name: str
    records: list[Record]
    note: str = ""
    path: Path | None = None

    @cached_property
    def columns(self) -> list[str]:
        """Every column that a row has, in the order of appearance."""
        return list(dict.fromkeys(column for record in self.records for column in record.row))


def column_word(part: str, column: str) -> str:
    """What to type to have ``column`` read as ``part``, quoted for Hydra and the shell where needed."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", column):
        return f"data.columns.{part}={column}"
    quoted = column.replace("\\", "\\\\").replace('"', '\\"')
    return shlex.quote(f'data.columns.{part}="{quoted}"')


class ReadError(ValueError):
    """A fault of a file (line 0) or of one of its lines, and how to correct it."""

    def __init__(self, what: str, line: int = 0, fix: str = "") -> None:
        super().__init__(what)
        self.line = line
        self.fix = fix
        self.whole = False  # whether nothing can be read behind it


class Fault(NamedTuple):
    """What is wrong with a row, how to correct it, and the name of the finding.

    ``whole``: nothing can be read behind it.
    """

    place: Record
    what: str
    fix: str = ""
    whole: bool = False
    name: str = "unreadable"


def kind_of(what: str) -> str:
    """What is wrong without the value of the row."""
    return what.partition(", got ")[0]


def findings(faults: Iterable[Fault], total: int = 0) -> list[Problem]:
    """One problem for each kind of fault: the first place and its value, the number of rows, a few places.

    ``total`` is the number of rows that were looked at, where it is known.
    """
    kinds: dict[str, list[Fault]] = {}
    for fault in faults:
        kinds.setdefault(f"{fault.place.file}\0{kind_of(fault.what)}", []).append(fault)
    told = [_finding(found, total) for found in kinds.values()]
    if len(told) <= KINDS:
        return told
    rest = f"{len(told) - KINDS} further kinds of mistakes are not listed"
    return [*told[:KINDS], Problem(rest, "correct these first")]


def _finding(found: list[Fault], total: int) -> Problem:
    first = found[0]
    return finding(first.name, [fault.place for fault in found], first.what, total, first.fix)


def finding(name: str, places: list[Record], what: str, total: int = 0, fix: str = "") -> Problem:
    """What is wrong with the rows at ``places``: the first one, their number, the next few."""
    said = f"{places[0].place}: {what}{more(places, total)}"
    return of_all(name, said, fix, places)


def of_all(name: str, what: str, fix: str = "", places: Iterable[Record] = ()) -> Problem:
    """A finding in its own words: on all rows together, or on those at ``places``."""
    found = list(dict.fromkeys(record.place for record in places))
    fix = fix or CATALOGUE[name].fix
    return Problem(what, fix, name=name, rows=len(found), places=tuple(found[:PLACES]))


def more(places: list[Record], total: int = 0) -> str:
    """In brackets, how many places there are behind the first one, and the next few of them."""
    others = list(dict.fromkeys((place.unit, place.line) for place in places))[1:]
    if not others:
        return ""
    of = f" of {total} rows" if total else f" row{'s' * (len(others) > 1)}"
    listed = ", ".join(str(line) for _, line in others[: PLACES - 1])
    unit = f"{others[0][0]}{'s' * (len(others) > 1)}"
    return f" (and {len(others)} more{of}: {unit} {listed}{', ...' if len(others) >= PLACES else ''})"
