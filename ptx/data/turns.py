"""Message lists: ``[{"role": "user", "content": "..."}, ...]``, also read from ShareGPT's from/value form."""

from __future__ import annotations

from typing import Any

Turn = dict[str, Any]

ROLES = ("system", "user", "assistant", "tool")

#: names that ShareGPT files use for the roles
SHAREGPT = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "observation": "tool",
}


class RowError(ValueError):
    """A row that cannot be converted; the message says why."""


def user(content: str) -> Turn:
    """A message of the user."""
    return {"role": "user", "content": content}


def assistant(content: str) -> Turn:
    """A message of the model."""
    return {"role": "assistant", "content": content}


def is_turns(value: Any) -> bool:
    """Whether ``value`` is meant as messages and not as text."""
    return isinstance(value, list | dict)


def to_turns(value: Any, column: str) -> list[Turn]:
    """The messages of a column in the canonical form; a single message counts as a list of one.

    Raises:
        RowError: when the value is not a list of messages.
    """
    turns = [value] if isinstance(value, dict) else value
    if not isinstance(turns, list) or not turns:
        raise RowError(f"{column} must be a list of messages, got {shown(value)}")
    return [_turn(turn, column) for turn in turns]


def _turn(turn: Any, column: str) -> Turn:
    if not isinstance(turn, dict):
        raise RowError(f'{column} must hold {{"role", "content"}} objects, got {shown(turn)}')
    if "role" in turn:
        extra = {
            key: value for key, value in turn.items() if value is not None and key not in ("role", "content")
        }
        return {"role": turn["role"], "content": turn.get("content"), **extra}
    if "from" in turn:
        return {"role": SHAREGPT.get(turn["from"], turn["from"]), "content": turn.get("value")}
    raise RowError(
        f'a message in {column} has the keys {", ".join(turn)}; it must have "role" and "content" (or "from"'
        ' and "value")'
    )


def shared_prefix(first: list[Turn], second: list[Turn]) -> int:
    """The number of equal messages at the head of two conversations; the last one of each never counts."""
    count = 0
    while count < min(len(first), len(second)) - 1 and first[count] == second[count]:
        count += 1
    return count


def shown(value: Any) -> str:
    """A value as text of at most 60 characters, for an error message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
