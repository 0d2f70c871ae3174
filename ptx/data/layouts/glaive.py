"""Glaive's function-calling rows: a column ``chat`` with marked turns, and ``system`` with the functions.

``USER: ...  ASSISTANT: <functioncall> {"name": "f", "arguments": '{"a": 1}'} <|endoftext|>  FUNCTION
RESPONSE: ...``: the arguments are JSON in single quotes inside of what would else be JSON.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ptx.data.tools import RowError, Turn, parsed, shown, tool_calls

NAMES = r"(USER|ASSISTANT|FUNCTION RESPONSE):"
MARK = re.compile(rf"(?:^|\s){NAMES}")
#: where each turn has a line of its own, a name within a line is what somebody says
MARK_OF_LINE = re.compile(rf"^[ \t]*{NAMES}", re.MULTILINE)
BEGIN = "<functioncall>"
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
    chat = chat.strip()
    pieces = (MARK_OF_LINE if "ASSISTANT" in MARK_OF_LINE.findall(chat) else MARK).split(chat)
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
    said, *calls = text.split(BEGIN) if role == "assistant" else [text]
    if not calls:
        return {"role": role, "content": text}
    return {
        "role": "assistant",
        "content": said.strip() or None,
        "tool_calls": tool_calls([_call(call.strip()) for call in calls]),
    }


def _call(text: str) -> dict[str, Any]:
    """A call whose arguments are JSON, alone or in single quotes with a backslash before those inside."""
    if quoted := QUOTED.search(text):
        plain = f'{text[: quoted.start()]}"arguments": {quoted[1]}}}'
        text = plain if isinstance(parsed(plain), dict) else plain.replace("\\'", "'")
    value = parsed(text)
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
