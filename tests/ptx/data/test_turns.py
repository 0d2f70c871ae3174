"""Message lists in the forms that files have them, and what is refused."""

import pytest

from ptx.data.tools import RowError
from ptx.data.turns import canonical_role, continued, dialogue, history_turns, shared_prefix, to_turns

USER = {"role": "user", "content": "hi"}
REPLY = {"role": "assistant", "content": "hello"}


def test_sharegpt_messages_get_the_usual_roles():
    turns = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]
    assert to_turns(turns, "conversations") == [USER, REPLY]


def test_a_single_message_is_a_list_of_one():
    assert to_turns(REPLY, "chosen") == [REPLY]


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


def test_roles_are_known_under_many_names_and_in_other_letters():
    roles = [
        "Human",
        "prompter",
        "USER",
        "gpt",
        "model",
        "developer",
        "ipython",
        "observation",
        "narrator",
        7,
    ]
    found = [canonical_role(role) for role in roles]
    assert found == ["user"] * 3 + ["assistant"] * 2 + ["system", "tool", "tool", "narrator", 7]


def test_calls_of_their_own_role_join_the_message_of_the_assistant():
    turns = [
        USER,
        {"role": "assistant", "content": "One moment."},
        {"role": "tool_call", "content": '{"name": "f", "arguments": {"a": 1}}'},
        {"role": "tool_call", "content": '{"name": "g", "arguments": {}}'},
        {"role": "tool_response", "content": "1"},
    ]
    made = to_turns(turns, "messages")
    assert [turn["role"] for turn in made] == ["user", "assistant", "tool"]
    assert made[1]["content"] == "One moment."
    assert [call["function"]["name"] for call in made[1]["tool_calls"]] == ["f", "g"]


@pytest.mark.parametrize(
    ("keys", "trained"),
    [
        ({"weight": 0}, False),
        ({"weight": 0.0, "train": False}, False),
        ({"train": "false"}, False),
        ({"loss": False}, False),
        ({"weight": 1.0}, None),
        ({"weight": None}, None),
        ({}, None),
    ],
)
def test_a_reply_carries_a_mark_only_where_it_is_not_trained(keys, trained):
    (made,) = to_turns([{**REPLY, **keys}], "messages")
    assert made == ({**REPLY, "train": False} if trained is False else REPLY)


def test_a_declining_reply_of_openai_is_its_content():
    assert (
        to_turns([{"role": "assistant", "content": None, "refusal": "No."}], "messages")[0]["content"]
        == "No."
    )


def test_history_is_pairs_or_messages():
    assert history_turns([["hi", "hello"]]) == [USER, REPLY]
    assert history_turns('[["hi", "hello"]]') == [USER, REPLY]
    assert history_turns([USER, REPLY]) == [USER, REPLY]
    with pytest.raises(RowError, match="history must hold pairs"):
        history_turns([["hi", "hello", "more"]])


def test_speakers_in_a_text_are_turns():
    assert dialogue("\n\nHuman: hi\n\nAssistant:") == [USER]
    assert dialogue("hi") == []
    assert continued(" hello\n\nHuman: hi", "assistant") == [REPLY, USER]
