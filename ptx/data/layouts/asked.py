"""The prompt of a row with several replies, which may stand in a column that elsewhere is another part.

``history`` is the post of SHP, ``context`` the conversation of HelpSteer, ``question`` an object in WebGPT,
``info`` the post or article that OpenAI had summarised. Arena's rows hold both sides as whole conversations,
or prompts and replies of several turns as JSON lists.
"""

from __future__ import annotations

from typing import Any

from ptx.data.records import Row
from ptx.data.shapes import CONVERSATIONS, PROMPTS
from ptx.data.tools import RowError, parsed, shown
from ptx.data.turns import alternating, canonical_role

#: columns that hold the prompt where none of the usual ones is there
ASKED = ("history", "context", *CONVERSATIONS, "post", "user_input", "info")
#: the keys of the text of a prompt or a reply that is an object
WITHIN = ("full_text", "text", "content")


def asked(row: Row) -> tuple[str, Row]:
    """The column of the prompt, and the row's prompt where it is not read by that name as it is."""
    column = next((name for name in PROMPTS if row.get(name) is not None), "")
    if column:
        said = _text(row[column])
        return column, {} if said is row[column] else {column: said}
    column = next((name for name in ASKED if row.get(name) is not None), "")
    if not column:
        return "", {}
    return column, {"prompt": _post(row[column]) if column == "info" else _text(row[column])}


def _text(value: Any) -> Any:
    """The text of an object that holds one."""
    if isinstance(value, dict):
        return next((value[key] for key in WITHIN if isinstance(value.get(key), str)), value)
    return value


def _post(info: Any) -> str:
    """What was to be summarised, in the words of the paper (arXiv 2009.01325) as TRL writes them."""
    text = info.get("post") or info.get("article") if isinstance(info, dict) else None
    if not isinstance(text, str):
        raise RowError(f"info must hold a post or an article, got {shown(info)}")
    lead = f"SUBREDDIT: r/{info['subreddit']}\n\n" if info.get("subreddit") else ""
    title = f"TITLE: {info['title']}\n\n" if info.get("title") else ""
    return f"{lead}{title}{'POST: ' if info.get('post') else ''}{text}\n\nTL;DR:"


def spoken(prompt: Any, reply: Any) -> Any:
    """The conversation of a list of prompts and a list of replies, or of their JSON texts; else nothing."""
    asked_, said = parsed(prompt), parsed(reply)
    if not (_texts(asked_) and isinstance(said, list)):
        return None
    if len(asked_) != len(said) or not _texts(said):
        raise RowError(f"there must be a reply to each of {len(asked_)} prompts, got {shown(said)}")
    return alternating([text for pair in zip(asked_, said, strict=True) for text in pair])


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)


def side(value: Any, turn: Any) -> Any:
    """A reply as text or messages, up to the turn that was judged where the row says so (MT-Bench)."""
    value = _text(value)
    if not isinstance(value, list) or not isinstance(turn, int) or isinstance(turn, bool) or turn < 1:
        return value
    starts = [
        place
        for place, one in enumerate(value)
        if isinstance(one, dict) and canonical_role(one.get("role", one.get("from"))) == "user"
    ]
    return value[: starts[turn]] if turn < len(starts) else value
