"""Contents of messages that are lists of typed parts, as OpenAI, Anthropic and Gemini have them.

Anthropic's messages hold tools as parts: the assistant's ``tool_use`` (``id``, ``name``, ``input``), and in
the user's next message ``tool_result`` (``tool_use_id``, ``content``). They become what OpenAI's are: calls
of the assistant's message, and a message of the role ``tool`` for each result.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ptx.data.names import REASONING
from ptx.data.tools import RowError, Turn, shown

TEXT_PARTS = ("text", "input_text", "output_text")
CALL, RESULT = "tool_use", "tool_result"
FIX = "ptx trains text: write the content as text, or leave these rows out"


def content_of(content: Any) -> tuple[Any, str]:
    """The text of a content that is a list of typed parts, and the thoughts in it; else the content."""
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        return content, ""
    texts, thoughts = [], []
    for part in content:
        kind = _kind(part)
        if kind in TEXT_PARTS and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind in REASONING and isinstance(part.get(kind), str):
            thoughts.append(part[kind])
        else:
            raise RowError(f"the content of a message has a part of type {kind!r}", FIX)
    return "".join(texts), "".join(thoughts)


def _kind(part: dict[str, Any]) -> Any:
    return part.get("type", "text" if "text" in part else next(iter(part), "text"))


def has_tools(content: Any) -> bool:
    """Whether a content has a call or the result of one among its parts."""
    return isinstance(content, list) and any(
        isinstance(part, dict) and part.get("type") in (CALL, RESULT) for part in content
    )


def without_parts(turn: Turn) -> Iterator[Turn]:
    """A message with such parts as messages without them, in their order.

    Raises:
        RowError: a part stands where no message of OpenAI's kind can have it, or lacks what it needs.
    """
    role = turn.get("role")
    rest: list[Any] = []
    others = {key: value for key, value in turn.items() if key != "content"}
    calls: list[Turn] = []
    for part in turn["content"]:
        kind = _kind(part) if isinstance(part, dict) else None
        if kind == CALL:
            calls.append(_call(part, role))
        elif calls:
            what = f"a message has a part of type {kind!r} behind a tool_use"
            raise RowError(what, "a call ends the message: put what follows it into another one")
        elif kind == RESULT:
            if rest:
                yield {**others, "content": rest}
                rest = []
            yield _result(part, role)
        else:
            rest.append(part)
    if calls:
        yield {**others, "content": rest or None, "tool_calls": calls}
    elif rest:
        yield {**others, "content": rest}


def _call(part: Turn, role: Any) -> Turn:
    name, given = part.get("name"), part.get("input")
    if role != "assistant":
        raise RowError(f"a tool_use stands in a message of the role {role!r}", "the assistant calls tools")
    if not isinstance(name, str) or not isinstance(given, dict):
        raise RowError(f"a tool_use must have a name and an input, an object, got {shown(part)}")
    call = {"type": "function", "function": {"name": name, "arguments": given}}
    return {"id": part["id"], **call} if part.get("id") else call


def _result(part: Turn, role: Any) -> Turn:
    """The message of a result; that a tool failed (``is_error``) is kept as a key of it."""
    if role != "user":
        raise RowError(f"a tool_result stands in a message of the role {role!r}", "it belongs to the user's")
    if not part.get("tool_use_id"):
        raise RowError(f"a tool_result must have a tool_use_id, got {shown(part)}")
    failed = {"is_error": True} if part.get("is_error") else {}
    content = part.get("content") if part.get("content") is not None else ""
    return {"role": "tool", "tool_call_id": part["tool_use_id"], "content": content, **failed}
