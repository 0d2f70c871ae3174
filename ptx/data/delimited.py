"""Reads tables of cells: CSV as programs and spreadsheets write it.

The separator is the one that divides the head line and gives every row as many cells as the head has. A comma
is not named; others are said in the description. Excel's first line ``sep=;`` is obeyed.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any, TextIO

from ptx.data.records import ReadError, Row
from ptx.data.values import parsed_messages

SEPARATORS = {",": "", ";": "semicolon", "\t": "tab", "|": "bar"}
LOOKED_AT = 50  # rows that a separator is tried on
BYTES_LOOKED_AT = 200_000


def dialect(stream: TextIO) -> tuple[str, bool, str]:
    """The separator, whether spaces follow it, and how it is said. The stream is left at the head line."""
    start = stream.tell()
    head = stream.read(BYTES_LOOKED_AT)
    stream.seek(start)
    if head[:4].lower() == "sep=" and len(head) > 4 and head[4] in SEPARATORS:
        stream.readline()
        return head[4], False, SEPARATORS[head[4]]
    separator = max(SEPARATORS, key=lambda one: _fit(head, one))
    line = head.split("\n", 1)[0]
    spaced = line.count(separator) > 0 and line.count(separator) == line.count(f"{separator} ")
    return separator, spaced and separator != "\t", SEPARATORS[separator]


def _fit(text: str, separator: str) -> tuple[float, int]:
    """How well a separator divides the text: the share of rows with as many cells as the head, and these."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows = [row for row in islice(reader, LOOKED_AT) if row]
    width = len(rows[0]) if rows else 0
    if width < 2:
        return 0.0, 0
    return sum(len(row) == width for row in rows) / len(rows), -list(SEPARATORS).index(separator)


def read_cells(stream: TextIO, separator: str, spaced: bool) -> Iterator[tuple[int, Row] | ReadError]:
    """The rows below the head line.

    Raises:
        ReadError: the head line names a column twice, or a quote is never closed.
    """
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(stream, delimiter=separator, skipinitialspace=spaced, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        _refuse_twice(names)
        for cells in reader:
            if cells:
                yield _row(names, cells, reader.line_num, separator)
    except csv.Error as error:
        fix = 'close every quote; write a quote inside a quoted cell twice ("")'
        raise ReadError(f"{error}", reader.line_num, f'{fix}, and not as \\"') from None


def _refuse_twice(names: list[str]) -> None:
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if twice:
        raise ReadError(f"the head line has the column {twice[0]} twice", 1, "rename one of them")


def _row(names: list[str], cells: list[str], line: int, separator: str) -> tuple[int, Row] | ReadError:
    if len(cells) > len(names):
        what = f"more cells than the {len(names)} columns, got {len(cells)}"
        return ReadError(what, line, _why_more(names, cells, separator))
    values: list[Any] = [*map(parsed_messages, cells), *[None] * (len(names) - len(cells))]
    return line, {name: value for name, value in zip(names, values, strict=True) if name}


def _why_more(names: list[str], cells: list[str], separator: str) -> str:
    if len(names) == 1:
        return "the first line holds no names of columns: delete what stands above the names"
    quoted = any(cell.startswith("'") for cell in cells) and any(cell.endswith("'") for cell in cells)
    said = SEPARATORS[separator] or "comma"
    return f"quote cells that hold a {said}{' with double quotes instead of single ones' if quoted else ''}"
