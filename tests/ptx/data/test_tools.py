"""Tool calls and definitions get one form, and what is none is refused."""

import json

import pytest

from ptx.data.tools import RowError, as_defined, defines, shown, tool_calls, tool_definitions

MADE = {"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
TOOL = {"name": "add", "description": "adds", "parameters": {"properties": {"a": {"type": "integer"}}}}


@pytest.mark.parametrize(
    "call",
    [
        {"name": "add", "arguments": {"a": 1}},
        {"name": "add", "parameters": {"a": 1}},
        {"name": "add", "arguments": '{"a": 1}'},
        {"type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}},
    ],
)
def test_a_call_has_its_arguments_as_an_object(call):
    assert tool_calls([call]) == tool_calls(call) == [MADE]


def test_calls_may_be_json_text_have_no_arguments_or_some_that_are_no_json():
    assert tool_calls('[{"name": "add", "arguments": {"a": 1}}]') == [MADE]
    assert tool_calls(None) == tool_calls([]) == tool_calls("") == []
    assert tool_calls([{"name": "f"}])[0]["function"]["arguments"] == {}
    assert tool_calls([{"name": "f", "arguments": "a=1"}])[0]["function"]["arguments"] == "a=1"
    assert tool_calls([{"id": "c1", "name": "f"}])[0]["id"] == "c1"


def test_arguments_that_were_written_as_json_twice_are_read_and_texts_in_them_stay_texts():
    once = json.dumps({"a": '{"b": 1}', "n": "007"})
    (call,) = tool_calls([{"name": "f", "arguments": json.dumps(once)}])
    assert call["function"]["arguments"] == {"a": '{"b": 1}', "n": "007"}
    assert tool_calls([{"name": "f", "arguments": '"open'}])[0]["function"]["arguments"] == '"open'


@pytest.mark.parametrize("value", [["f"], [{"arguments": {}}], "f(1)", [{"function": "f"}]])
def test_what_is_no_call_is_refused(value):
    with pytest.raises(RowError, match="tool call"):
        tool_calls(value)


def test_definitions_are_wrapped_once():
    wrapped = [{"type": "function", "function": TOOL}]
    assert tool_definitions([TOOL]) == tool_definitions(wrapped) == tool_definitions(TOOL) == wrapped
    assert tool_definitions([json.dumps(TOOL)]) == wrapped  # When2Call: a list of JSON texts
    assert tool_definitions("[]") == tool_definitions(None) == []
    with pytest.raises(RowError, match="tools must hold definitions of tools, got \\['search'\\]"):
        tool_definitions(["search"])


def test_a_text_defines_a_tool_with_its_description_and_parameters():
    assert defines(f"You have {TOOL}", TOOL)
    assert not defines("You may add a and b", TOOL)
    assert not defines("", {"name": ""})


def test_null_arguments_stay_where_the_tool_has_them():
    call = {"type": "function", "function": {"name": "add", "arguments": {"a": None, "b": None}}}
    turn = {"role": "assistant", "content": "", "tool_calls": [call]}
    (made,) = as_defined([turn], [TOOL])
    assert made["tool_calls"][0]["function"]["arguments"] == {"a": None}
    assert as_defined([turn], []) == [turn]


def test_nulls_inside_an_argument_stay_where_its_schema_has_them():
    point = {"type": "object", "properties": {"x": {"type": "number"}, "z": {"type": ["number", "null"]}}}
    free = {"type": "object"}
    tool = {
        "name": "draw",
        "parameters": {"properties": {"at": point, "path": {"type": "array", "items": point}, "style": free}},
    }
    given = {"x": 1, "z": None, "city": None}
    arguments = {"at": given, "path": [given], "style": {"colour": None}, "city": None}
    call = {"type": "function", "function": {"name": "draw", "arguments": arguments}}
    (made,) = as_defined([{"role": "assistant", "content": "", "tool_calls": [call]}], [tool])
    kept = {"x": 1, "z": None}
    assert made["tool_calls"][0]["function"]["arguments"] == {
        "at": kept,
        "path": [kept],
        "style": {"colour": None},  # nothing says what it may hold
    }


@pytest.mark.parametrize("properties", [None, {}, [{"name": "a"}]])
def test_a_tool_without_parameters_may_say_so_in_any_way(properties):
    tool = {"name": "now", "parameters": {"type": "object", "properties": properties}}
    call = {"type": "function", "function": {"name": "now", "arguments": {}}}
    turns = [{"role": "assistant", "content": "", "tool_calls": [call]}]
    assert as_defined(turns, tool_definitions([tool])) == turns


def test_long_values_are_cut_in_messages():
    assert shown("a") == "'a'"
    assert len(shown("a" * 100)) == 60
