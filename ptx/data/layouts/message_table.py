"""Tables with one message per row (conversation_id, role, content): the rows of a conversation become one.

Such a table has a text column, so without this it would be read as plain text and every message would be
trained on alone. Where a column names the conversation, its rows are put together, in the order of a turn
column or else of the file. Trees of messages are read by :mod:`ptx.data.layouts.trees`. Tables that do not
say which messages belong together are refused: it would be a guess.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ptx.data.layouts.trees import PARENTS, flattened, tables_of
from ptx.data.names import CALLING_ROLES
from ptx.data.records import Record, Row, Table
from ptx.data.turns import ROLES, canonical_role
from ptx.errors import ConfigError, Problem

SPEAKERS = ("role", "from", "speaker", "author", "sender")
CONTENTS = ("content", "value", "text", "message", "utterance")
CONVERSATIONS = (
    "conversation_id",
    "conversation",
    "conv_id",
    "dialogue_id",
    "dialog_id",
    "thread_id",
    "chat_id",
    "session_id",
    "message_tree_id",
)
ORDERS = ("turn", "turn_id", "turn_index", "turn_idx", "position", "message_index", "index", "order", "step")
SEEN = 1000  # rows that are looked at to recognise the roles


def conversations_of(table: Table) -> list[Table]:
    """The table with one conversation per row; a table of another kind is returned as it is.

    Trees give a second table, of pairs.

    Raises:
        ConfigError: its rows are messages, and it does not say how they belong together.
    """
    flat = flattened(table)
    columns = flat.columns
    speaker, content = _first(SPEAKERS, columns), _first(CONTENTS, columns)
    parent = _first(PARENTS, columns)
    if not speaker or not content or not _holds_roles(flat.records[:SEEN], speaker, 1 if parent else 2):
        return [table]
    what = f"{table.name} holds one message per row (columns {speaker}, {content})"
    if parent:
        return tables_of(flat, speaker, content, what) or [table]
    group = _first(CONVERSATIONS, columns)
    if not group:
        raise ConfigError(
            Problem(
                f"{what}, and no column says which of them belong together",
                f"add a column conversation_id (known: {', '.join(CONVERSATIONS)}), or write each"
                " conversation as one row with messages",
            )
        )
    order = _first(ORDERS, columns)
    made = list(_grouped(table.records, group, order, (speaker, content)))
    by = f", in the order of {order}" if order else ""
    note = f"{len(table.records)} messages put together by {group}{by}"
    return [replace(table, records=made, note="; ".join(filter(None, (table.note, note))))]


def _first(names: Iterable[str], columns: list[str]) -> str:
    return next((name for name in names if name in columns), "")


def may_hold_messages(table: Table) -> bool:
    """Whether there are columns of speakers and texts: its first rows do not tell whether it holds them."""
    columns = flattened(table).columns
    return bool(_first(SPEAKERS, columns) and _first(CONTENTS, columns))


def _holds_roles(records: list[Record], column: str, least: int) -> bool:
    """Whether the column holds roles, ``least`` of them: a table of one speaker is plain text."""
    roles = {canonical_role(record.row.get(column)) for record in records if record.row.get(column)}
    return len(roles) >= least and all(role in (*ROLES, *CALLING_ROLES) for role in roles)


def _grouped(records: list[Record], group: str, order: str, keys: tuple[str, str]) -> Iterable[Record]:
    """One record per conversation, at the place of its first message.

    What all its messages share is a column of the conversation, everything else a key of the message.
    """
    found: dict[str, list[Record]] = {}
    for record in records:
        if record.row.get(group) is None:
            raise ConfigError(
                Problem(f"{record.place}: column {group} is empty", "say which conversation it is")
            )
        found.setdefault(str(record.row[group]), []).append(record)
    for members in found.values():
        if order:
            members.sort(key=lambda record: _place(record, order))
        rows = [record.row for record in members]
        shared = {
            name: value
            for name, value in rows[0].items()
            if name not in (*keys, order) and all(row.get(name) == value for row in rows)
        }
        messages = [_message(row, keys, {*shared, order}) for row in rows]
        yield members[0]._replace(row={"messages": messages, **shared})


def _place(record: Record, order: str) -> float:
    try:
        return float(record.row[order])
    except (KeyError, TypeError, ValueError):
        what = f"{record.place}: {order} must be a number, got {record.row.get(order)!r}"
        raise ConfigError(Problem(what, "it gives the order of the messages of a conversation")) from None


def _message(row: Row, keys: tuple[str, str], others: set[str]) -> Row:
    speaker, content = keys
    extra = {name: value for name, value in row.items() if name not in others and name not in keys}
    return {"role": row.get(speaker), "content": row.get(content), **extra}
