"""Guesses what the columns of an unknown table are, for a message: nothing is ever read by a guess.

A message says what to type, so what it says is tried on the first row before: a name that would end in the
next error is not proposed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ptx.data.convert import convert
from ptx.data.names import COMPANIONS
from ptx.data.records import Record, Row, Table
from ptx.data.rules import faults_of, unreadable
from ptx.data.shapes import COLUMNS, COMPLETIONS, CONTEXTS, PROMPTS, Form, recognise, refine
from ptx.data.tools import RowError

LOOKED_AT = 20  # rows
#: columns of names, numbers and dates, which nobody trains on
ASIDE = re.compile(
    r"(?:^|_)(?:u?u?id|index|idx|url|model|source|domain|lang(?:uage)?|date|time)$"
    r"|(?:^|_)(?:title|type|category|topic|task)$",
    re.IGNORECASE,
)


def guesses(table: Table, shape: str | None) -> Iterator[dict[str, str]]:
    """Part -> column, the likeliest first: conversations, then the longest texts in their order."""
    rows = [record.row for record in table.records[:LOOKED_AT]]
    earlier = COMPANIONS["history"]
    chats = [
        name for name in table.columns if name not in earlier and any(_is_chat(row.get(name)) for row in rows)
    ]
    if not any(name in PROMPTS for name in table.columns):  # what leads to a reply in a column of its own
        yield from ({"prompt": name} for name in chats if set(COMPLETIONS) & {*table.columns})
    yield from ({"messages": name} for name in chats)
    texts = _texts(table.columns, rows)
    asked = [name for name in texts if name in PROMPTS]
    for parts in (COLUMNS[shape],) if shape in COLUMNS else (COLUMNS["completions"], COLUMNS["text"]):
        wanted = parts[1:] if asked and parts[0] == "prompt" else parts
        free = [name for name in texts if name not in (*PROMPTS, *CONTEXTS)]
        longest = sorted(free, key=lambda name: -texts[name])[: len(wanted)]
        if len(longest) == len(wanted):
            yield dict(zip(wanted, [name for name in free if name in longest], strict=True))


def _is_chat(value: object) -> bool:
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict)


def _texts(columns: list[str], rows: list[Row]) -> dict[str, int]:
    """Column -> the length of its texts, of those that hold nothing else."""
    said = {name: [row[name] for row in rows if row.get(name) is not None] for name in columns}
    return {
        name: sum(map(len, values))
        for name, values in said.items()
        if values and all(isinstance(value, str) for value in values) and not ASIDE.search(name)
    }


def that_fit(table: Table, columns: dict[str, str], shape: str | None) -> dict[str, str]:
    """Those of the names that the first row is read by; nothing where it cannot be read with them."""
    if not columns or not table.records:
        return {}
    of = {column: part for part, column in columns.items()}
    record = table.records[0]
    row = {of.get(name, name): value for name, value in record.row.items()}
    forms = [refine(form, [row]) for form in recognise([of.get(name, name) for name in table.columns], shape)]
    if not forms or not all(_reads(form, record._replace(row=row)) for form in forms):
        return {}
    used = frozenset[str]().union(*(form.used for form in forms))
    return {part: column for part, column in columns.items() if part in used}


def _reads(form: Form, record: Record) -> bool:
    try:
        made = record._replace(row=convert(form, record.row))
    except RowError:
        return False
    return not [*faults_of([made], unreadable(form.shape))]
