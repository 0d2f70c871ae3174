"""The values of a row as every other module may expect them: text, number, true, false, null, list or dict.

Formats and programs write the same value differently. NaN is how pandas writes a missing value: null. Times,
decimals and identifiers become the text that they are printed as. The dict of lists that ``datasets`` makes
of a list of messages becomes the list again, and so do messages that were written as JSON text. A value that
cannot be trained on stays as it is, for the rules of the shape to refuse where it is used. Half a surrogate
pair (half an emoji) is refused everywhere, because no file can be written with it.
"""

from __future__ import annotations

import ast
import json
import math
import re
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ptx.data.records import ReadError, Row

PLAIN = (bool, int, type(None))
MESSAGES_AS_TEXT = re.compile(r"""\s*\[\s*\{\s*["'](role|from|content|value)["']\s*:""")
#: columns that hold messages and no text, whatever their values look like
MESSAGES = ("messages", "conversations", "conversation")


def clean(row: Row) -> Row:
    """The row with plain values.

    Raises:
        ReadError: a text holds half a surrogate pair.
    """
    made = {}
    for name, value in row.items():
        kept = _plain(value, name)
        if isinstance(kept, str) and name in MESSAGES and MESSAGES_AS_TEXT.match(kept):
            kept = parsed_messages(kept)
        made[name] = kept
    return made


def unfilled(row: Row) -> Row:
    """The row without the null keys that Arrow gives to objects: there all rows have the keys of all rows."""
    return {name: _without_nulls(value) for name, value in row.items()}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def parsed_messages(text: str) -> Any:
    """The messages of a cell that holds them as JSON or as Python prints them; else the text itself."""
    if not MESSAGES_AS_TEXT.match(text):
        return text
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return text


def _plain(value: Any, column: str) -> Any:
    if isinstance(value, str):
        if not value.isascii():
            _refuse_surrogates(value, column)
        return value
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, dict):
        return _unzipped({key: _plain(part, column) for key, part in value.items()})
    if isinstance(value, list | tuple):
        return [_plain(part, column) for part in value]
    return _printed(value)


def number(value: Any, *, flags: bool = False) -> float | None:
    """The number that a value is, or that a cell of a table holds as text; nothing for any other value.

    With ``flags`` true is 1 and false 0.
    """
    if (isinstance(value, bool) and not flags) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _printed(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal | timedelta | UUID) else value


def _refuse_surrogates(text: str, column: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        around = (
            text[max(0, error.start - 12) : error.start + 12].encode("ascii", "backslashreplace").decode()
        )
        raise ReadError(
            f"column {column} holds half a surrogate pair (half an emoji), got {around!r}",
            fix="write the whole character, or delete the half",
        ) from None


def _unzipped(value: dict[str, Any]) -> Any:
    """The list of dicts that a dict of lists stands for, where it holds messages."""
    if "role" not in value and "from" not in value:
        return value
    columns = list(value.values())
    if not all(isinstance(column, list) and len(column) == len(columns[0]) for column in columns):
        return value
    return [dict(zip(value, parts, strict=True)) for parts in zip(*columns, strict=True)]
