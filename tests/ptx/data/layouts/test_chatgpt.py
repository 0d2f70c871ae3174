"""ChatGPT's conversations.json: the branch that the chat shows."""

import json

import pytest

from ptx.data.layouts.chatgpt import branch_turns
from ptx.data.opening import open_data
from ptx.data.tools import RowError
from ptx.errors import ConfigError


def message(role, content, name="", **more):
    """A message as the export has it."""
    held = {"content_type": "text", "parts": [content]} if isinstance(content, str) else content
    return {
        "id": name,
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": 1718000000.123,
        "update_time": None,
        "content": held,
        "status": "finished_successfully",
        "end_turn": True,
        "weight": 1.0,
        "metadata": {},
        "recipient": "all",
        "channel": None,
        **more,
    }


def conversation(*messages, beside=()):
    """A conversation of these messages one below the other; ``beside`` hang at the second node."""
    named = {f"node-{place}": one for place, one in enumerate([None, *messages])}
    names = [*named]
    mapping = {
        name: {
            "id": name,
            "message": one,
            "parent": names[place - 1] if place else None,
            "children": names[place + 1 : place + 2],
        }
        for place, (name, one) in enumerate(named.items())
    }
    for place, one in enumerate(beside):
        mapping[f"beside-{place}"] = {
            "id": f"beside-{place}",
            "message": one,
            "parent": names[2],
            "children": [],
        }
        mapping[names[2]]["children"].append(f"beside-{place}")
    return {
        "title": "Weather",
        "create_time": 1718000000.1,
        "update_time": 1718000009.2,
        "mapping": mapping,
        "moderation_results": [],
        "current_node": names[-1],
        "plugin_ids": None,
        "conversation_id": "6667a5c1-0000",
        "conversation_template_id": None,
        "gizmo_id": None,
        "is_archived": False,
        "safe_urls": [],
        "default_model_slug": "gpt-4o",
        "id": "6667a5c1-0000",
    }


HIDDEN = message("system", "", weight=0.0, metadata={"is_visually_hidden_from_conversation": True})
TALK = (HIDDEN, message("user", "Hi"), message("assistant", "Hello!"))


def turns_of(*messages):
    made = conversation(*messages)
    return branch_turns(made["mapping"], made["current_node"])


def test_a_file_of_exported_conversations_is_read_along_its_current_branches(tmp_path):
    file = tmp_path / "conversations.json"
    first = conversation(*TALK, beside=[message("assistant", "A reply that was regenerated")])
    second = conversation(
        HIDDEN, message("user", "2 + 2?"), message("assistant", "4"), message("user", "And?")
    )
    file.write_text(json.dumps([first, second]))
    data = open_data("log", file)
    assert [row["messages"] for row in data.rows("messages")] == [
        [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}],
        [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}],
    ]


def test_custom_instructions_are_the_system_text():
    context = {
        "content_type": "user_editable_context",
        "user_profile": "I farm.",
        "user_instructions": "Be brief.",
    }
    turns = turns_of(HIDDEN, message("user", context), *TALK[1:])
    assert turns[0] == {"role": "system", "content": "I farm.\n\nBe brief."}


def test_thoughts_are_the_reasoning_of_the_reply_behind_them():
    thoughts = {"content_type": "thoughts", "thoughts": [{"summary": "S", "content": "They greet."}]}
    recap = {"content_type": "reasoning_recap", "content": "Thought for 2 seconds"}
    turns = turns_of(TALK[1], message("assistant", thoughts), message("assistant", recap), TALK[2])
    assert turns[1:] == [{"role": "assistant", "content": "Hello!", "reasoning_content": "They greet."}]


def test_a_reply_of_weight_0_is_read_and_not_trained():
    turns = turns_of(TALK[1], message("assistant", "No.", weight=0.0), message("user", "?"), TALK[2])
    assert [turn.get("train") for turn in turns] == [None, False, None, None]


IMAGE = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-1", "size_bytes": 1}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            message("user", {"content_type": "multimodal_text", "parts": [IMAGE, "What is it?"]}),
            "image_asset",
        ),
        (
            message(
                "assistant",
                {"content_type": "code", "language": "unknown", "text": "1+1"},
                recipient="python",
            ),
            "call of ChatGPT's own tools or its result, got one to python",
        ),
        (message("tool", {"content_type": "execution_output", "text": "2"}), "got one from a tool"),
        (
            message("assistant", {"content_type": "system_error", "text": "x"}),
            "is no text, got 'system_error'",
        ),
        (message("narrator", "x"), "an author that is not known, got 'narrator'"),
    ],
)
def test_what_is_no_text_is_refused(other, said):
    with pytest.raises(RowError, match=said):
        turns_of(TALK[1], other, TALK[2])


def test_such_conversations_can_be_left_out(tmp_path):
    file = tmp_path / "conversations.json"
    tool = message("tool", {"content_type": "execution_output", "text": "2"})
    file.write_text(json.dumps([conversation(*TALK)] * 3 + [conversation(TALK[1], tool, TALK[2])]))
    with pytest.raises(ConfigError, match=r"row 4.*data\.bad=drop leaves this row out"):
        open_data("log", file, bad="refuse").rows("messages")
    assert len(open_data("log", file, bad="drop").rows("messages")) == 3


def test_a_branch_that_is_broken_or_has_no_reply_is_refused():
    with pytest.raises(RowError, match="'gone' is not in mapping"):
        branch_turns({"a": {"message": None, "parent": "gone"}}, "a")
    with pytest.raises(RowError, match="is its own parent"):
        branch_turns({"a": {"message": None, "parent": "b"}, "b": {"message": None, "parent": "a"}}, "a")
    with pytest.raises(RowError, match="has no reply"):
        turns_of(HIDDEN, TALK[1])
