"""Trees of messages (OpenAssistant): the replies of a tree that people ranked, as conversations and as pairs.

A table has one message per row with its ``parent_id``, or one tree per row with ``replies`` in one another.
Two things follow without a guess. *Conversations*: from each root the best ranked reply, and the best ranked
question behind it (of questions that nobody ranked the first with a reply), as Guanaco was made of them; a
conversation ends before several replies that nobody ranked. *Pairs*: of every prompt with ranked replies the
best and the worst. Messages that are deleted, or that reviewers refused, are left out with what is below
them. A tree in which no message has two replies needs no ranks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ptx.data.names import LEFT_OUT, MESSAGE_KEYS
from ptx.data.records import Record, Row, Table
from ptx.data.turns import READ, canonical_role
from ptx.data.values import number
from ptx.errors import ConfigError, Problem, counted

IDS = ("message_id", "id", "uuid", "msg_id")
PARENTS = ("parent_id", "parent_message_id", "parent")
RANK = "rank"
#: value of a column -> it says that a message is not to be used
REFUSED = {"deleted": True, "review_result": False}
#: the column of a nested tree, and the key of the replies to a message
NESTED, REPLIES = ("prompt", "root", "tree"), ("replies", "children")
#: columns that say of a message where it stands, and nothing of the conversation
PLACES = (*IDS, *PARENTS, RANK, *REFUSED, *REPLIES)


#: columns that are keys of a message
SAID_OF_A_MESSAGE = tuple(key for key in (*READ, *LEFT_OUT, *MESSAGE_KEYS) if key not in PLACES)


@dataclass
class Node:
    """A message with what was said behind it."""

    record: Record
    turn: Row
    rank: float | None
    parent: Node | None = None
    below: list[Node] = field(default_factory=list)

    @property
    def path(self) -> list[Row]:
        """The messages from the root to this one."""
        turns, node = [self.turn], self.parent
        while node:
            turns.append(node.turn)
            node = node.parent
        return turns[::-1]


def flattened(table: Table) -> Table:
    """A table of nested trees with one message per row; any other table as it is."""
    column = next((name for name in NESTED if name in table.columns), "")
    rows = [record.row.get(column) for record in table.records]
    if not column or not all(isinstance(row, dict) and any(key in row for key in REPLIES) for row in rows):
        return table
    records = [
        record._replace(row=row)
        for number, record in enumerate(table.records)
        for row in _messages(record.row[column], None, f"{number}")
    ]
    return replace(table, records=records)


def _messages(message: Row, parent: str | None, place: str) -> Iterator[Row]:
    name = str(message.get("message_id") or place)
    replies: list[Any] = next((message[key] for key in REPLIES if isinstance(message.get(key), list)), [])
    kept = {key: value for key, value in message.items() if key not in (*REPLIES, *IDS, *PARENTS)}
    yield {**kept, "message_id": name, "parent_id": parent}
    for count, reply in enumerate(replies):
        if isinstance(reply, dict):
            yield from _messages(reply, name, f"{place}.{count}")


def tables_of(table: Table, speaker: str, content: str, what: str) -> list[Table]:
    """The conversations of the trees, and the pairs of ranked replies, where there are some.

    Raises:
        ConfigError: no column names the messages, a parent is not there, or replies are not ranked.
    """
    names = next((name for name in IDS if name in table.columns), "")
    parent = next(name for name in PARENTS if name in table.columns)
    if not names:
        fix = f"add a column with the name of each message (known: {', '.join(IDS)})"
        raise ConfigError(
            Problem(f"{what}, {parent} makes trees of them, and no column names a message", fix)
        )
    roots, refused = _grown(table, (speaker, content), names, parent)
    nodes = [*_all(roots)]
    ranked = any(node.rank is not None for node in nodes)
    if not ranked and any(len(_replies(node)) > 1 for node in nodes):
        fix = (
            f"add a column {RANK} (0 is the best reply to a message), or write one path through each tree as"
            ' one row: {"messages": [{"role": "user", "content": "..."}, ...]}'
        )
        raise ConfigError(
            Problem(f"{what}, {parent} makes trees of them, and nothing ranks the replies", fix)
        )
    talks, pairs = [*_conversations(roots)], [*_pairs(nodes)]
    left = f", {counted(refused, 'message')} left out as deleted or refused" if refused else ""
    used = (*PLACES, *SAID_OF_A_MESSAGE, speaker, content)
    unused = [name for name in table.columns if name not in used]
    rest = f"not trained on of messages: {', '.join(unused)}" if unused else ""
    count = counted(len(nodes), "message")
    path = f"the best path of each of {counted(len(roots), 'tree')}, by {RANK}"
    notes = (
        (talks, f"{path if ranked else f'{count} put together by {parent}'}{left}"),
        (pairs, f"the best and the worst reply to a message, by {RANK}{left}"),
    )
    return [
        replace(table, records=records, note="; ".join(filter(None, (table.note, note, rest))))
        for records, note in notes
        if records
    ]


def _grown(table: Table, keys: tuple[str, str], names: str, parent: str) -> tuple[list[Node], int]:
    """The roots with all that is below them, and the number of messages that were refused."""
    nodes: dict[str, Node] = {}
    for record in table.records:
        row = record.row
        told = {key: row[key] for key in SAID_OF_A_MESSAGE if row.get(key) is not None}
        turn = {**told, "role": canonical_role(row.get(keys[0])), "content": row.get(keys[1])}
        if str(row.get(names)) in nodes:
            what = f"{record.place}: {names} {row.get(names)!r:.40} stands twice"
            raise ConfigError(Problem(what, "each message needs a name of its own"))
        nodes[str(row.get(names))] = Node(record, turn, number(row.get(RANK)))
    roots, lost = [], []
    for node in nodes.values():
        above = node.record.row.get(parent)
        node.parent = nodes.get(str(above)) if above not in (None, "") else None
        if above in (None, ""):
            roots.append(node)
        elif node.parent is None:
            lost.append(node)
        else:
            node.parent.below.append(node)
    if lost:
        what = f"{lost[0].record.place}: there is no message {lost[0].record.row[parent]!r:.40}"
        raise ConfigError(
            Problem(f"{what} (in {counted(len(lost), 'row')})", f"{parent} must name another row")
        )
    return _pruned(roots, len(nodes), table.records)


def _pruned(roots: list[Node], count: int, records: list[Record]) -> tuple[list[Node], int]:
    if len([*_all(roots)]) < count:
        what = f"{records[0].place}: messages of the file are each other's parents"
        raise ConfigError(Problem(what, "a tree begins with a message without a parent"))
    kept = [root for root in roots if not _is_refused(root)]
    for node in _all(kept):
        node.below = [one for one in node.below if not _is_refused(one)]
    return kept, count - len([*_all(kept)])


def _is_refused(node: Node) -> bool:
    return any(node.record.row.get(name) is value for name, value in REFUSED.items())


def _all(roots: list[Node]) -> Iterator[Node]:
    waiting = deque(roots)
    while waiting:
        node = waiting.popleft()
        yield node
        waiting += node.below


def _replies(node: Node) -> list[Node]:
    return [one for one in node.below if one.turn["role"] == "assistant"]


def _next(node: Node) -> Node | None:
    """The message that the best path goes on with."""
    ranked = [one for one in node.below if one.rank is not None]
    if ranked:
        return min(ranked, key=lambda one: one.rank or 0.0)
    if len(node.below) > 1 and len(_replies(node)) > 1:
        return None  # replies that nobody ranked
    answered = [one for one in node.below if one.turn["role"] == "assistant" or _replies(one)]
    return next(iter(answered or node.below), None)


def _conversations(roots: list[Node]) -> Iterator[Record]:
    for root in roots:
        turns, node = [root.turn], _next(root)
        while node:
            turns.append(node.turn)
            node = _next(node)
        while turns and turns[-1]["role"] != "assistant":
            turns.pop()
        if turns:
            yield root.record._replace(row={"messages": turns})


def _pairs(nodes: list[Node]) -> Iterator[Record]:
    for node in nodes:
        ranked = sorted(
            (one for one in _replies(node) if one.rank is not None), key=lambda one: one.rank or 0.0
        )
        if len(ranked) > 1 and ranked[0].rank != ranked[-1].rank:
            sides = {"chosen": [ranked[0].turn], "rejected": [ranked[-1].turn]}
            yield node.record._replace(row={"prompt": node.path, **sides})
