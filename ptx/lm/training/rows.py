"""Convert ptx's rows to the columns of TRL's trainers.

If the model has a chat template, texts become turns. So data with plain prompts and replies trains the format
in which the model will be used. Without a template everything stays text. The messages have the form in which
the template writes all of them (:meth:`ptx.models.chat.ChatTemplate.fit`), and tools and template options go
with them. Other columns (skill, language, ...) are dropped, because TRL gives a meaning to some names
(``images``, ``input_ids``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ptx.data.conversations import ROLES, as_turns
from ptx.lm.template import template_of

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from ptx.models.chat import ChatTemplate

Row = dict[str, Any]
Turns = list[dict[str, Any]]

#: shape -> columns that are passed on unchanged
KEPT: dict[str, tuple[str, ...]] = {
    "messages": ("messages",),
    "text": ("text",),
    "thumbs": ("label",),
    "prompts": ("answer",),
}


def trl_rows(shape: str, rows: list[Row], tokenizer: PreTrainedTokenizerBase) -> list[Row]:
    """Rows of ``shape`` in TRL's columns."""
    chat = tokenizer.chat_template is not None
    template = template_of(tokenizer, marked=False) if chat and shape != "text" else None
    made = [_trl_row(shape, row, template) for row in rows]
    if any(row.get("chat_template_kwargs") for row in rows):
        for row, given in zip(made, rows, strict=True):
            row["chat_template_kwargs"] = given.get("chat_template_kwargs") or {}
    return made


def _trl_row(shape: str, row: Row, template: ChatTemplate | None) -> Row:
    kept: Row = {column: row.get(column) for column in KEPT.get(shape, ())}
    if shape == "prompts":
        kept["answer"] = None if row.get("answer") is None else str(row["answer"])
    if template is None:
        return {**{column: row[column] for column in ROLES.get(shape, ())}, **kept}
    if row.get("tools"):
        kept["tools"] = json.dumps(row["tools"], ensure_ascii=False)
    if shape == "messages":
        return {**kept, "messages": _fitted(row["messages"], row, template)}
    columns = as_turns(shape, row)
    if shape == "prompts":
        return {"prompt": _fitted(columns["prompt"], row, template, ask=True), **kept}
    asked = len(columns["prompt"])
    whole = {
        name: _fitted([*columns["prompt"], *reply], row, template)
        for name, reply in columns.items()
        if name != "prompt"
    }
    prompt = next(iter(whole.values()))[:asked]
    return {"prompt": prompt, **{name: turns[asked:] for name, turns in whole.items()}, **kept}


def _fitted(turns: Turns, row: Row, template: ChatTemplate, *, ask: bool = False) -> Turns:
    options = row.get("chat_template_kwargs") or {}
    return template.fit(turns, row.get("tools"), ask=ask, **options).turns


def prompt_turns(row: Row) -> Turns:
    """The prompt of a row as turns."""
    return as_turns("prompts", row)["prompt"]


def as_dataset(rows: Sequence[Row]) -> Dataset:
    """The rows for a trainer, with nested values as JSON.

    Arrow would give all rows the keys that one of them has (arguments of other tools, as null), and has no
    type for an argument that is a number here and a text there.
    """
    from datasets import Dataset, Features, Json

    nested = {name for name in rows[0] if any(_is_nested(row[name]) for row in rows) or _mixed(name, rows)}
    if not nested:
        return Dataset.from_list(list(rows))
    flat = [{name: value for name, value in row.items() if name not in nested} for row in rows]
    types = Dataset.from_list(flat).features if flat[0] else {}
    features = Features({name: Json() if name in nested else types[name] for name in rows[0]})
    return Dataset.from_list(list(rows), features=features)


def _mixed(name: str, rows: Sequence[Row]) -> bool:
    """Whether a column holds a number here and a text there."""
    return len({type(row[name]) for row in rows if row[name] is not None}) > 1


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(item, dict) for item in value)
    )


def needs_template(shape: str, rows: list[Row]) -> bool:
    """Whether these rows can only be rendered with a chat template."""
    if shape == "messages":
        return True
    return any(not isinstance(row[column], str) for row in rows for column in ROLES.get(shape, {}))
