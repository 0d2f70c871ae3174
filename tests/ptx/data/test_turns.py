"""Message lists in the forms that files have them, and what is refused."""

import pytest

from ptx.data.turns import RowError, shared_prefix, shown, to_turns

USER = {"role": "user", "content": "hi"}
REPLY = {"role": "assistant", "content": "hello"}


def test_sharegpt_messages_get_the_usual_roles():
    turns = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]
    assert to_turns(turns, "conversations") == [USER, REPLY]


def test_a_single_message_is_a_list_of_one():
    assert to_turns(REPLY, "chosen") == [REPLY]


def test_tool_calls_get_one_form_with_their_arguments_as_an_object_and_empty_extras_are_dropped():
    made = {"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
    for call in (
        {"name": "add", "arguments": {"a": 1}},
        {"name": "add", "arguments": '{"a": 1}'},
        {"type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}},
    ):
        turn = {"role": "assistant", "content": None, "tool_calls": [call], "name": None}
        assert to_turns([turn], "messages") == [{"role": "assistant", "content": None, "tool_calls": [made]}]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], r"messages must be a list of messages, got \[\]"),
        ("hi", "messages must be a list of messages, got 'hi'"),
        (["hi"], "messages must hold .* objects, got 'hi'"),
        ([{"text": "hi"}], "a message in messages has the keys text; it must have"),
    ],
)
def test_what_is_no_message_list_is_refused_with_the_column(value, message):
    with pytest.raises(RowError, match=message):
        to_turns(value, "messages")


def test_the_shared_prefix_leaves_the_last_message_of_each():
    assert shared_prefix([USER, REPLY], [USER, {**REPLY, "content": "go"}]) == 1
    assert shared_prefix([USER, REPLY], [USER, REPLY]) == 1
    assert shared_prefix([USER], [USER]) == 0


def test_long_values_are_cut_in_messages():
    assert shown("a") == "'a'"
    assert len(shown("a" * 100)) == 60
