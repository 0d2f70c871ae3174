"""BFCL's files, plain rows, and training data as items."""

import json

import pytest

from ptx import ConfigError
from ptx_tools.items import as_schema, files_behind, read_items
from ptx_tools.match import Expected

ADD = {
    "name": "add",
    "description": "adds",
    "parameters": {
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": "integer", "default": 1},
            "o": {"type": "object"},
        },
        "required": ["a"],
    },
}


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [str(path)]


def test_bfcl_is_read_as_it_is_with_the_answers_beside(bfcl):
    items = read_items([str(bfcl)], None)
    assert sorted(one.category for one in items) == [
        "irrelevance",
        "live_relevance",
        "multiple",
        "parallel",
        "simple_python",
    ]
    by = {one.category: one for one in items}
    assert len(by["parallel"].expected) == 2
    assert by["irrelevance"].expected == []
    assert by["live_relevance"].expected is None
    shown = by["multiple"].shown[1]["function"]["parameters"]
    assert shown["type"] == "object"
    assert shown["properties"]["day"]["type"] == "string"
    assert len(files_behind([str(bfcl)])) == 8  # five files and three with answers


def test_answers_that_are_missing_are_named(bfcl):
    (bfcl / "possible_answer" / "BFCL_v4_multiple.json").unlink()
    with pytest.raises(ConfigError, match="no answers to 1 of its items, such as multiple_0"):
        read_items([str(bfcl)], None)


def test_categories_that_need_more_than_a_reply_are_refused(tmp_path):
    row = {"id": "multi_turn_base_0", "question": [[]], "function": []}
    with pytest.raises(ConfigError, match="several turns with a state"):
        read_items(written(tmp_path / "BFCL_v4_multi_turn_base.json", [row]), None)


def test_plain_rows_have_one_accepted_value_and_defaults_may_be_left_out(tmp_path):
    rows = [
        {
            "prompt": "Add.",
            "tools": [ADD],
            "calls": [{"name": "add", "arguments": {"a": 3, "b": 1, "o": {"k": 2}}}],
        },
        {"prompt": "Sing.", "tools": json.dumps([ADD]), "calls": []},
    ]
    first, second = read_items(written(tmp_path / "plain.jsonl", rows), None)
    assert first.expected == [Expected("add", {"a": [3], "b": [1, ""], "o": [{"k": [2]}]})]
    assert (first.category, second.category) == ("simple", "irrelevance")


def test_training_data_is_read_in_its_forms(tmp_path):
    calls = [{"name": "add", "arguments": {"a": 3}}]
    xlam = [{"query": "Add.", "tools": json.dumps([ADD]), "answers": json.dumps(calls)}]
    (item,) = read_items(written(tmp_path / "xlam.jsonl", xlam), None)
    assert item.expected == [Expected("add", {"a": [3]})]
    turns = [
        {"role": "user", "content": "Add."},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"function": {"name": "add", "arguments": '{"a": 3}'}}],
        },
        {"role": "tool", "content": "4"},
        {"role": "assistant", "content": "4"},
    ]
    silent = {"messages": [turns[0], turns[3]], "tools": [ADD]}
    called, none = read_items(
        written(tmp_path / "openai.jsonl", [{"messages": turns, "tools": [ADD]}, silent]), None
    )
    assert called.turns == turns[:1]
    assert called.expected == [Expected("add", {"a": [3]})]
    assert none.expected == []


def test_everything_wrong_is_said_at_once(tmp_path):
    bad = [
        {"prompt": "x", "tools": [ADD], "calls": [{"arguments": {}}]},
        {"prompt": "x", "tools": 5, "calls": []},
    ]
    with pytest.raises(ConfigError) as caught:
        read_items([*written(tmp_path / "bad.jsonl", bad), str(tmp_path / "none.jsonl")], None)
    said = str(caught.value)
    assert "line 1: a tool call must have a name" in said
    assert "line 2: tools must hold definitions" in said
    assert "no file or folder" in said


def test_words_for_types_are_changed_at_every_depth():
    assert as_schema({"type": "array", "items": {"type": "dict", "x": [{"type": "float"}]}}) == {
        "type": "array",
        "items": {"type": "object", "x": [{"type": "number"}]},
    }
