"""Reads JSON whatever the file is called: lines of objects, a list of objects, or columns of values.

The content decides, not the ending: ``.jsonl`` files hold lists, and ``.json`` files lines. A key that stands
twice in an object is refused, because of the two values one would be dropped without a word.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

from ptx.data.records import ReadError, Row

Item = tuple[int, Row] | ReadError


class _TwiceError(ValueError):
    """A key that stands twice in one object."""


def _object(pairs: list[tuple[str, Any]]) -> Row:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _TwiceError(f"the key {twice!r} stands twice in one object")
    return made


_BLANK = re.compile(r"\s*")
DECODER = json.JSONDecoder(object_pairs_hook=_object)


#: columns of one row: beside them a list of objects is another column, and no table
ONE_ROW = {
    "messages",
    "conversations",
    "conversation",
    "contents",
    "prompt",
    "text",
    "chosen",
    "rejected",
    "history",
    "segments",
    "question",
    "instruction",
    "query",
    "info",
    "context",
    "message",
    "chat_history",
    "response",
    "completion",
    "answer",
    "output",
}


def read_json(stream: TextIO) -> tuple[Iterator[Item], str]:
    """The rows of a file, and the unit that their numbers count (``line`` or ``row``).

    Raises:
        ReadError: it is not JSON, or holds no rows.
    """
    first, number = "", 0
    for line in stream:
        number += 1
        if line.strip():
            first = line
            break
    if _is_row(first):
        return _lines(first, number, stream), "line"
    rest = stream.read()
    second = rest.lstrip().split("\n", 1)[0]
    if _is_row(second) and not first.rstrip().endswith(("[", "{", ",", ":")):
        return _lines(first, number, io.StringIO(rest)), "line"
    return _rows_of(_values(first + rest, number)), "row"


def _is_row(line: str) -> bool:
    """Whether a line is one object by itself (and not the first of several that an object is written on)."""
    line = line.rstrip().removesuffix(",")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return line.lstrip().startswith("{") and line.rstrip().endswith("}")
    return isinstance(value, dict) and not (_wrapped(value) or _by_column(value))


def _lines(first: str, number: int, rest: TextIO) -> Iterator[Item]:
    yield _parsed(first, number)
    for after, line in enumerate(rest, number + 1):
        if line.strip():
            yield _parsed(line, after)


def _parsed(line: str, number: int) -> Item:
    """The one place where a line of JSON is read."""
    fix = "each line must be one {...} object"
    try:
        value = DECODER.decode(line.strip())
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and line.rstrip().endswith("},"):
            return ReadError("a comma behind the object", number, "delete the commas at the line ends")
        around = error.doc[max(0, error.pos - 20) : error.pos + 20].strip()
        return ReadError(f"not JSON: {error.msg}, got ...{around}... at column {error.colno}", number, fix)
    except _TwiceError as error:
        return ReadError(str(error), number, "delete or rename one of them")
    except RecursionError:
        return ReadError("the JSON is nested too deeply", number, fix)
    except ValueError as error:
        return ReadError(f"not JSON that can be read: {str(error).partition(';')[0]}", number, fix)
    return _row(value, number)


def _row(value: Any, number: int) -> Item:
    if isinstance(value, dict):
        return number, value
    if isinstance(value, ReadError):
        return value
    what = f"not an object but a {type(value).__name__}, got {str(value)[:40]}"
    return ReadError(what, number, 'write {"column": value, ...}')


def _values(text: str, line: int) -> list[Any]:
    """The JSON values that stand one behind the other in a text; ``line`` is the number of its first line."""
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        try:
            value, at = DECODER.raw_decode(text, _BLANK.match(text, at).end())  # type: ignore[union-attr]
        except json.JSONDecodeError as error:
            place = line + error.lineno - 1
            raise ReadError(
                f"not JSON: {error.msg.removesuffix(' at')} at column {error.colno}",
                place,
                "it must be one list of objects: [{...}, {...}], or one object in each line",
            ) from None
        except _TwiceError as error:
            raise ReadError(str(error), fix="delete or rename one of them") from None
        except RecursionError:
            raise ReadError("the JSON is nested too deeply", fix="write a list of flat objects") from None
        except ValueError as error:
            what = f"not JSON that can be read: {str(error).partition(';')[0]}"
            raise ReadError(what, fix="write the value as text") from None
        found.append(value)
    return found


def _rows_of(values: list[Any]) -> Iterator[Item]:
    """The rows of the values of a file: those of its list, else the values themselves."""
    rows = values
    if len(values) == 1 and isinstance(values[0], list):
        rows = values[0]
    elif len(values) == 1:
        rows = _wrapped(values[0]) or _by_column(values[0]) or rows
    yield from (_row(row, number) for number, row in enumerate(rows, 1))


def _wrapped(value: Any) -> list[Any]:
    """The list of rows that an object holds as its only list of objects: ``{"data": [...]}``."""
    if not isinstance(value, dict) or set(value) & ONE_ROW:
        return []
    lists = [name for name, part in value.items() if _is_rows(part)]
    if "rows" in lists and all("row_idx" in one and _is_rows([one.get("row")]) for one in value["rows"]):
        return [_viewed(one) for one in value["rows"]]
    wanted = [name for name in ("train", "data", "rows") if name in lists] or lists
    return value[wanted[0]] if wanted and (len(lists) == 1 or wanted[0] == "train") else []


def _viewed(one: Row) -> Any:
    """A row as the viewer of the hub gives it, which cuts long cells short."""
    cut = one.get("truncated_cells")
    if not cut:
        return one["row"]
    fix = "download the file itself; the viewer shows only the beginning of long texts"
    return ReadError(f"the viewer of the hub cut {', '.join(map(str, cut))} short", one["row_idx"] + 1, fix)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _by_column(value: Any) -> list[Row]:
    """The rows of a table that was written by columns: pandas' and ``datasets``' ``{"column": [...]}``."""
    if not isinstance(value, dict) or not value:
        return []
    columns = list(value.values())
    if _is_rows(columns) and all(name == str(number) for number, name in enumerate(value)):
        return columns  # pandas' orient="index"
    if all(isinstance(column, dict) and next(iter(column), "") == "0" for column in columns):
        if any(column.keys() != columns[0].keys() for column in columns):
            return []
        columns = [list(column.values()) for column in columns]
    if not all(isinstance(column, list) and len(column) == len(columns[0]) for column in columns):
        return []
    if any(isinstance(cell, dict) for column in columns for cell in column):
        return []  # one row with lists of messages
    return [dict(zip(value, parts, strict=True)) for parts in zip(*columns, strict=True)]
