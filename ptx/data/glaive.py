"""Glaive's function-calling rows: a column ``chat`` with marked turns, and ``system`` with the functions.

``USER: ...  ASSISTANT: <functioncall> {"name": "f", "arguments": '{"a": 1}'} <|endoftext|>  FUNCTION
RESPONSE: ...``: the arguments are JSON in single quotes inside of what would else be JSON.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ptx.data.tools import RowError, Turn, parsed, shown, tool_calls

MARK = re.compile(r"(?:^|\s)(USER|ASSISTANT|FUNCTION RESPONSE):")
CALL = re.compile(r"<functioncall>\s*(\{.*\})\s*$", re.DOTALL)
QUOTED = re.compile(r"\"arguments\"\s*:\s*'(.*)'\s*\}\s*$", re.DOTALL)
ROLES = {"USER": "user", "ASSISTANT": "assistant", "FUNCTION RESPONSE": "tool"}
END = "<|endoftext|>"


def is_marked(chat: Any) -> bool:
    """Whether a text is a chat in this form."""
    return isinstance(chat, str) and MARK.match(chat.lstrip()) is not None


def glaive_turns(chat: str, system: str | None) -> tuple[list[Turn], list[Turn]]:
    """The messages of a chat, and the functions that the system text defines.

    Raises:
        RowError: the chat has no marks, or a call that is no JSON.
    """
    pieces = MARK.split(f" {chat.strip()}")
    if len(pieces) < 3 or pieces[0].strip():
        raise RowError(f"a chat must begin with USER:, got {shown(chat)}", "write USER: and ASSISTANT:")
    turns = [
        _turn(ROLES[mark], text)
        for mark, text in zip(pieces[1::2], pieces[2::2], strict=True)
        if text.strip()
    ]
    lead, tools = _functions(system or "")
    return [*([{"role": "system", "content": lead}] if lead else []), *turns], tools


def _turn(role: str, text: str) -> Turn:
    text = text.replace(END, "").strip()
    found = CALL.search(text) if role == "assistant" else None
    if not found:
        return {"role": role, "content": text}
    said = text[: found.start()].strip()
    return {"role": "assistant", "content": said or None, "tool_calls": tool_calls([_call(found[1])])}


def _call(text: str) -> dict[str, Any]:
    """A call whose arguments are JSON in single quotes, or plain JSON."""
    quoted = QUOTED.search(text)
    value = parsed(f'{text[: quoted.start()]}"arguments": {quoted[1]}}}' if quoted else text)
    if not isinstance(value, dict):
        raise RowError(f"a function call must be JSON, got {shown(text)}", "correct it, or delete the row")
    return value


def _functions(system: str) -> tuple[str, list[Turn]]:
    """The text of the system, and the definitions behind it."""
    text = system.strip().removeprefix("SYSTEM:").strip()
    decoder, tools, place = json.JSONDecoder(), [], text.find("{")
    lead = text if place < 0 else text[:place]
    while place >= 0:
        try:
            value, end = decoder.raw_decode(text, place)
        except ValueError:
            return text, []  # braces that are no definitions: the text stays whole
        if not isinstance(value, dict) or "name" not in value:
            return text, []
        tools.append({"type": "function", "function": value})
        place = text.find("{", end)
    return lead.strip(), tools
