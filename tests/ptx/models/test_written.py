"""Values that a rendered text does not hold are found; trimming and JSON's own way of writing are no loss."""

import json

import pytest

from ptx.models.written import losses

CALL = {
    "type": "function",
    "function": {"name": "find", "arguments": {"q": 'a "b"\né', "n": 7, "deep": [{"x": 1.5}]}},
}


def keys(turn, text, tools=None):
    return [loss.key for loss in losses([{"role": "assistant", "content": "", **turn}], tools, text)]


@pytest.mark.parametrize(
    ("turn", "text"),
    [
        ({"content": " hello \n"}, "<a>hello</a>"),
        ({"content": "<think>a</think>b"}, "<think>\na\n</think>\n\nb"),
        ({"reasoning_content": "so"}, "<think>so</think>"),
        ({"tool_calls": [CALL]}, json.dumps(CALL)),
        ({"tool_calls": [CALL]}, json.dumps(CALL, ensure_ascii=False, indent=2)),
        ({"tool_calls": [CALL]}, 'find(q="a "b"\né", n=7, deep=[{x: 1.5}])'),
        ({"tool_calls": [{"function": {"name": "f", "arguments": {"on": True, "off": None}}}]}, "f(on=true)"),
    ],
)
def test_a_value_that_is_written_in_another_way_is_no_loss(turn, text):
    assert keys(turn, text) == []


@pytest.mark.parametrize(
    ("turn", "text", "key"),
    [
        ({"content": "hello"}, "hell", "content"),
        ({"content": "<think>a</think>b"}, "[b]", "the thoughts in content"),
        ({"reasoning_content": "so"}, "no", "reasoning_content"),
        ({"tool_calls": [CALL]}, "find", "tool_calls"),
        ({"tool_calls": [CALL]}, json.dumps(CALL).replace("7", "8"), "tool_calls"),
    ],
)
def test_a_value_that_is_not_written_is_a_loss(turn, text, key):
    assert keys(turn, text) == [key]


def test_tools_are_looked_for_by_their_names_and_descriptions():
    tools = [{"type": "function", "function": {"name": "find"}}, {"name": "add"}]
    assert keys({}, "find add", tools) == []
    (loss,) = losses([], tools, "find")
    assert (loss.key, loss.value) == ("tools", "add")
    assert keys({}, "after", [{"name": "f", "description": "finds"}]) == ["tools"]


def test_a_loss_knows_whether_it_is_in_the_last_message():
    turn = {"role": "assistant", "content": "a", "reasoning_content": "hm"}
    assert [loss.last for loss in losses([turn, turn], None, "aa")] == [False, True]
