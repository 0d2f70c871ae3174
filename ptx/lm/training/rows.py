"""Convert ptx's rows to the columns of TRL's trainers.

If the model has a chat template, texts become turns. So data with plain prompts and replies trains the format
in which the model will be used. Without a template everything stays text. Other columns (skill, language,
...) are dropped, because TRL gives a meaning to some names (``images``, ``tools``, ``input_ids``).
"""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]
Turns = list[dict[str, Any]]

#: shape -> column -> role of its text in a conversation
ROLES: dict[str, dict[str, str]] = {
    "completions": {"prompt": "user", "completion": "assistant"},
    "pairs": {"prompt": "user", "chosen": "assistant", "rejected": "assistant"},
    "thumbs": {"prompt": "user", "completion": "assistant"},
    "prompts": {"prompt": "user"},
}
#: shape -> columns that are passed on unchanged
KEPT: dict[str, tuple[str, ...]] = {
    "messages": ("messages",),
    "text": ("text",),
    "thumbs": ("label",),
    "prompts": ("answer",),
}


def trl_rows(shape: str, rows: list[Row], *, chat: bool) -> list[Row]:
    """Rows of ``shape`` in TRL's columns; ``chat`` means that the model has a chat template."""
    roles, kept = ROLES.get(shape, {}), KEPT.get(shape, ())
    made = []
    for row in rows:
        values = {
            column: as_turns(row[column], role) if chat else row[column] for column, role in roles.items()
        }
        made.append({**values, **{column: row.get(column) for column in kept}})
    if shape == "prompts":
        for row in made:
            row["answer"] = None if row["answer"] is None else str(row["answer"])
    return made


def as_turns(value: str | Turns, role: str) -> Turns:
    """A text as a list of one turn; a list of turns is returned unchanged."""
    return [{"role": role, "content": value}] if isinstance(value, str) else value


def as_text(value: str | Turns) -> str:
    """A conversation as text for scorers: the text of a single turn, else all turns with their roles."""
    if isinstance(value, str):
        return value
    if len(value) == 1:
        return str(value[0].get("content") or "")
    return "\n\n".join(f"{turn['role']}: {turn.get('content') or ''}" for turn in value)


def needs_template(shape: str, rows: list[Row]) -> bool:
    """Whether these rows can only be rendered with a chat template."""
    if shape == "messages":
        return True
    return any(not isinstance(row[column], str) for row in rows for column in ROLES.get(shape, {}))
