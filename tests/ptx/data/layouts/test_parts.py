"""Messages whose content is a list of parts, in Anthropic's published shapes."""

import json

import pytest

from ptx.data.layouts.parts import content_of, has_tools, without_parts
from ptx.data.opening import open_data
from ptx.data.tools import RowError, tool_definitions
from ptx.data.turns import to_turns

SCHEMA = {
    "type": "object",
    "properties": {
        "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
    },
    "required": ["location"],
}
TOOL = {"name": "get_weather", "description": "Get the current weather", "input_schema": SCHEMA}
CALL = {
    "type": "tool_use",
    "id": "toolu_01A09q90qw90lq917835lq9",
    "name": "get_weather",
    "input": {"location": "San Francisco, CA", "unit": "celsius"},
}
RESULT = {"type": "tool_result", "tool_use_id": CALL["id"], "content": "15 degrees"}
ROW = {
    "system": [{"type": "text", "text": "You are brief.", "cache_control": {"type": "ephemeral"}}],
    "tools": [TOOL | {"cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": "What is the weather like in San Francisco?"},
        {"role": "assistant", "content": [{"type": "text", "text": "I will check."}, CALL]},
        {"role": "user", "content": [RESULT]},
        {"role": "assistant", "content": [{"type": "text", "text": "It is 15 degrees."}]},
    ],
}
FUNCTION = {"name": "get_weather", "description": "Get the current weather", "parameters": SCHEMA}
AS_CALL = {
    "id": CALL["id"],
    "type": "function",
    "function": {"name": "get_weather", "arguments": CALL["input"]},
}


def test_a_row_of_anthropic_s_is_read_as_openai_s(tmp_path):
    file = tmp_path / "log.jsonl"
    file.write_text(json.dumps(ROW) + "\n")
    (row,) = open_data("log", file).rows("messages")
    assert row["messages"] == [
        {"role": "system", "content": "You are brief."},
        {"role": "user", "content": "What is the weather like in San Francisco?"},
        {"role": "assistant", "content": "I will check.", "tool_calls": [AS_CALL]},
        {"role": "tool", "content": "15 degrees", "tool_call_id": CALL["id"]},
        {"role": "assistant", "content": "It is 15 degrees."},
    ]
    assert row["tools"] == [{"type": "function", "function": FUNCTION}]


def test_several_calls_and_their_results_keep_their_order():
    turns = to_turns(
        [
            {"role": "assistant", "content": [CALL, CALL | {"id": "toolu_2", "input": {}}]},
            {
                "role": "user",
                "content": [
                    RESULT,
                    {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": True, "content": "no city"},
                    {"type": "text", "text": "Go on."},
                ],
            },
        ],
        "messages",
    )
    assert [turn["role"] for turn in turns] == ["assistant", "tool", "tool", "user"]
    assert [call["id"] for call in turns[0]["tool_calls"]] == [CALL["id"], "toolu_2"]
    assert turns[0]["content"] is None
    assert turns[2] == {"role": "tool", "content": "no city", "tool_call_id": "toolu_2", "is_error": True}
    assert turns[3] == {"role": "user", "content": "Go on."}


def test_a_result_of_parts_is_their_text_and_one_without_content_is_empty():
    parts = [{"type": "text", "text": "15"}, {"type": "text", "text": " degrees"}]
    (first,) = to_turns([{"role": "user", "content": [RESULT | {"content": parts}]}], "messages")
    assert first["content"] == "15 degrees"
    empty = {"type": "tool_result", "tool_use_id": "toolu_3"}
    (second,) = to_turns([{"role": "user", "content": [empty]}], "messages")
    assert second == {"role": "tool", "content": "", "tool_call_id": "toolu_3"}


def test_thinking_before_a_call_is_its_reasoning():
    thought = {"type": "thinking", "thinking": "They want the weather.", "signature": "EqQBCg=="}
    (turn,) = to_turns([{"role": "assistant", "content": [thought, CALL]}], "messages")
    assert (turn["reasoning_content"], turn["tool_calls"]) == ("They want the weather.", [AS_CALL])


@pytest.mark.parametrize(
    ("role", "parts", "said"),
    [
        ("assistant", [CALL, {"type": "text", "text": "Then"}], "part of type 'text' behind a tool_use"),
        ("user", [CALL], "a tool_use stands in a message of the role 'user'"),
        ("assistant", [RESULT], "a tool_result stands in a message of the role 'assistant'"),
        ("assistant", [{"type": "tool_use", "id": "t", "name": "f", "input": "x"}], "an input, an object"),
        ("user", [{"type": "tool_result", "content": "15"}], "must have a tool_use_id"),
        ("user", [RESULT | {"content": [{"type": "image", "source": {}}]}], "part of type 'image'"),
    ],
)
def test_what_has_no_place_in_a_conversation_is_refused(role, parts, said):
    with pytest.raises(RowError, match=said):
        to_turns([{"role": role, "content": parts}], "messages")


def test_a_definition_of_mcp_s_has_its_schema_too():
    assert tool_definitions([{"name": "get_weather", "inputSchema": SCHEMA, "type": "custom"}]) == [
        {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}
    ]


def test_other_contents_are_as_they_were():
    assert content_of([{"type": "text", "text": "a"}, {"type": "thinking", "thinking": "b"}]) == ("a", "b")
    assert content_of("a") == ("a", "")
    assert not has_tools("a")
    assert not has_tools([{"type": "text", "text": "tool_use"}])
    assert list(without_parts({"role": "user", "content": [{"type": "text", "text": "a"}]})) == [
        {"role": "user", "content": [{"type": "text", "text": "a"}]}
    ]
