"""Glaive's rows hold calls in a form of their own."""

import json

import pytest

from ptx.data.layouts.glaive import glaive_turns, is_marked
from ptx.data.tools import RowError

ADD = {"name": "add", "description": "adds", "parameters": {"type": "object", "properties": {"a": {}}}}
SYSTEM = f"SYSTEM: You have functions. Use them -\n{json.dumps(ADD, indent=4)}\n\n{json.dumps(ADD)}\n"
CHAT = (
    "USER: Add it's 1 and 2: please.\n\n\nASSISTANT: <functioncall> "
    """{"name": "add", "arguments": \'{"a": 1, "text": "it\'s {so}"}\'} <|endoftext|>\n\n\n"""
    'FUNCTION RESPONSE: {"sum": 3}\n\n\nASSISTANT: It is 3. <|endoftext|>\n\n\n'
)


def test_turns_calls_and_functions_are_read():
    turns, tools = glaive_turns(CHAT, SYSTEM)
    assert tools == [{"type": "function", "function": ADD}] * 2
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "tool", "assistant"]
    assert turns[0]["content"] == "You have functions. Use them -"
    assert turns[2]["tool_calls"][0]["function"] == {
        "name": "add",
        "arguments": {"a": 1, "text": "it's {so}"},
    }
    assert turns[3]["content"] == '{"sum": 3}'
    assert turns[4]["content"] == "It is 3."


def test_a_chat_without_functions_is_a_conversation():
    turns, tools = glaive_turns("USER: Hi\n\nASSISTANT: Hello {you}. <|endoftext|>", "SYSTEM: Be kind. {x}")
    assert tools == []
    assert [turn["content"] for turn in turns] == ["Be kind. {x}", "Hi", "Hello {you}."]


def test_a_name_of_a_speaker_within_a_line_is_what_somebody_says():
    turns, _ = glaive_turns("USER: Who is ASSISTANT: in a chat?\n\n\nASSISTANT: Not USER: at least.", None)
    said = ["Who is ASSISTANT: in a chat?", "Not USER: at least."]
    assert [(turn["role"], turn["content"]) for turn in turns] == [("user", said[0]), ("assistant", said[1])]
    turns, _ = glaive_turns("USER: a ASSISTANT: b USER: c ASSISTANT: d", None)
    assert [turn["content"] for turn in turns] == ["a", "b", "c", "d"]


def test_a_reply_may_call_twice_and_quote_with_a_backslash():
    call = """<functioncall> {"name": "say", "arguments": '{"text": "it\\'s \\\\"}'}"""
    turns, _ = glaive_turns(f'USER: a\n\nASSISTANT: Yes. {call} <functioncall> {{"name": "now"}}', None)
    assert turns[1]["content"] == "Yes."
    functions = [one["function"] for one in turns[1]["tool_calls"]]
    assert functions == [
        {"name": "say", "arguments": {"text": "it's \\"}},
        {"name": "now", "arguments": {}},
    ]


def test_what_cannot_be_read_is_refused():
    assert not is_marked("Hello")
    with pytest.raises(RowError, match="must begin with USER"):
        glaive_turns("Hello", None)
    with pytest.raises(RowError, match="must be JSON"):
        glaive_turns('USER: a\n\nASSISTANT: <functioncall> {"name": }', None)
