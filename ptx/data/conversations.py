"""The conversations of canonical rows, as a chat template gets them.

Texts become turns of their roles; a prompt that is written as a dialogue (HH-RLHF's ``Human:`` and
``Assistant:``) becomes its turns. One rule for what is checked and what is trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ptx.data.records import Record, Row
from ptx.data.tools import Turn
from ptx.data.turns import continued, dialogue

#: shape -> column -> role of its text in a conversation
ROLES: dict[str, dict[str, str]] = {
    "completions": {"prompt": "user", "completion": "assistant"},
    "pairs": {"prompt": "user", "chosen": "assistant", "rejected": "assistant"},
    "thumbs": {"prompt": "user", "completion": "assistant"},
    "prompts": {"prompt": "user"},
    "safety": {"prompt": "user"},
}


class Conversation(NamedTuple):
    """The messages of a row, what the template gets beside them, and whether the model's reply follows."""

    record: Record
    turns: list[Turn]
    tools: list[Turn] | None
    options: dict[str, Any]
    ask: bool


def as_turns(shape: str, row: Row) -> dict[str, list[Turn]]:
    """Column -> its messages."""
    roles = ROLES[shape]
    prompt = row["prompt"]
    asked = dialogue(prompt) if isinstance(prompt, str) else []
    made = {column: _turns(row[column], role, spoken=bool(asked)) for column, role in roles.items()}
    return {**made, "prompt": asked} if asked else made


def _turns(value: Any, role: str, *, spoken: bool) -> list[Turn]:
    if not isinstance(value, str):
        return list(value)
    return continued(value, role) if spoken else [{"role": role, "content": value}]


def conversations(shape: str, records: Sequence[Record]) -> Iterator[Conversation]:
    """The conversations of the rows: a pair has two, a text none."""
    for record in records:
        row = record.row
        tools, options = row.get("tools"), row.get("chat_template_kwargs") or {}
        if "messages" in row:
            yield Conversation(record, row["messages"], tools, options, ask=False)
        elif shape in ROLES:
            prompt, *replies = as_turns(shape, row).values()
            for reply in replies:
                yield Conversation(record, [*prompt, *reply], tools, options, ask=False)
            if not replies:
                yield Conversation(record, prompt, tools, options, ask=True)


def as_text(value: str | Sequence[Turn]) -> str:
    """A conversation as one text: the text of a single turn, else all turns with their roles."""
    if isinstance(value, str):
        return value
    if len(value) == 1:
        return str(value[0].get("content") or "")
    return "\n\n".join(f"{turn['role']}: {turn.get('content') or ''}" for turn in value)
