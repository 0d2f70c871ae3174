"""Rows of a file become canonical rows: prompts, replies, system texts and dialogues."""

import pytest

from ptx.data.convert import convert
from ptx.data.shapes import recognise
from ptx.data.tools import RowError

TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def test_a_system_column_becomes_the_first_message(tmp_path, opened):
    system = {"role": "system", "content": "be kind"}
    assert opened(tmp_path, {"system": "be kind", "question": "hi", "answer": "hello"}).rows("messages") == [
        {"messages": [system, *TURNS]}
    ]
    pair = opened(
        tmp_path, {"system": "be kind", "question": "hi", "chosen": "hello", "rejected": "go"}
    ).rows("pairs")[0]
    assert pair["prompt"] == [system, TURNS[0]]
    assert pair["chosen"] == [TURNS[1]]


def test_pairs_of_full_conversations_are_split_where_they_part(tmp_path, opened):
    other = {"role": "assistant", "content": "go away"}
    expected = [{"prompt": TURNS[:1], "chosen": TURNS[1:], "rejected": [other]}]
    for prompt in ({}, {"prompt": "hi"}, {"prompt": TURNS[:1]}):
        assert (
            opened(tmp_path, {**prompt, "chosen": TURNS, "rejected": [TURNS[0], other]}).rows("pairs")
            == expected
        )


def test_preferences_in_sharegpt_form_are_pairs(tmp_path, opened):
    asked = [{"from": "human", "value": "hi"}]
    row = {
        "conversations": asked,
        "chosen": {"from": "gpt", "value": "hello"},
        "rejected": {"from": "gpt", "value": "no"},
    }
    assert opened(tmp_path, row).rows("pairs") == [
        {"prompt": TURNS[:1], "chosen": TURNS[1:], "rejected": [{**TURNS[1], "content": "no"}]}
    ]


def test_pairs_of_texts_that_repeat_the_prompt_in_every_row_lose_it(tmp_path, opened):
    rows = [{"prompt": f"q{i}?", "chosen": f"q{i}? yes", "rejected": f"q{i}? no"} for i in range(3)]
    assert opened(tmp_path, *rows).rows("pairs")[2] == {"prompt": "q2?", "chosen": " yes", "rejected": " no"}
    assert (
        opened(tmp_path, *rows, {"prompt": "z", "chosen": "yes", "rejected": "no"}).rows("pairs")[2]
        == rows[2]
    )


def test_dialogues_as_text_are_split_at_the_last_common_assistant_mark(tmp_path, opened, refused):
    lead = "\n\nHuman: hi\n\nAssistant: hm\n\nHuman: well?\n\nAssistant:"
    row = {"chosen": lead + " hello", "rejected": lead + " go"}
    assert opened(tmp_path, row).rows("pairs") == [{"prompt": lead, "chosen": " hello", "rejected": " go"}]
    assert "no prompt column" in refused(lambda: opened(tmp_path, {"chosen": "hello", "rejected": "help"}))


def test_a_missing_and_a_null_value_are_faults_with_the_column():
    (form,) = recognise(["prompt", "completion"])
    with pytest.raises(RowError, match="column completion is missing"):
        convert(form, {"prompt": "a"})
    with pytest.raises(RowError, match=r"column completion is empty \(null\)"):
        convert(form, {"prompt": "a", "completion": None})


def test_a_row_that_mixes_text_and_messages_gets_message_lists():
    (form,) = recognise(["prompt", "chosen", "rejected"])
    row = convert(form, {"prompt": "hi", "chosen": TURNS[1:], "rejected": "go"})
    assert row["prompt"] == TURNS[:1]
    assert row["rejected"] == [{"role": "assistant", "content": "go"}]


def test_null_arguments_that_datasets_wrote_in_from_other_tools_are_left_out(tmp_path, opened):
    """In JSON lines only the definition tells a written-in null from one that is meant."""
    tool = {
        "name": "f",
        "parameters": {"properties": {"city": {"type": "string"}, "unit": {}, "other": None}},
    }
    call = {"name": "f", "arguments": {"city": "Rome", "unit": None, "other": None}}
    row = {
        "messages": [TURNS[0], {"role": "assistant", "content": "", "tool_calls": [call]}],
        "tools": [tool],
    }
    made = opened(tmp_path, row).rows("messages")[0]
    assert made["messages"][1]["tool_calls"][0]["function"]["arguments"] == {"city": "Rome", "unit": None}
    assert set(made["tools"][0]["function"]["parameters"]["properties"]) == {"city", "unit"}


def test_arrow_files_give_each_row_its_own_keys(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    from ptx.data import open_data

    calls = [{"name": "f", "arguments": {"city": "Rome"}}, {"name": "g", "arguments": {"a": 1}}]
    rows = [
        {"messages": [TURNS[0], {"role": "assistant", "content": "", "tool_calls": [call]}]} for call in calls
    ]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "my.parquet")
    made = open_data("x", tmp_path / "my.parquet").rows("messages")
    found = [row["messages"][1]["tool_calls"][0]["function"]["arguments"] for row in made]
    assert found == [{"city": "Rome"}, {"a": 1}]


def test_a_system_text_and_history_stand_before_the_prompt_of_pairs(tmp_path, opened):
    row = {
        "instruction": "hi",
        "input": "",
        "chosen": "hello",
        "rejected": "go",
        "system": "S",
        "history": [["a", "b"]],
    }
    made = opened(tmp_path, row).rows("pairs")[0]
    assert [turn["content"] for turn in made["prompt"]] == ["S", "a", "b", "hi"]
    assert made["chosen"] == TURNS[1:]
    full = {"chosen": TURNS, "rejected": [TURNS[0], {**TURNS[1], "content": "go"}], "system": "S"}
    assert [turn["content"] for turn in opened(tmp_path, full).rows("pairs")[0]["prompt"]] == ["S", "hi"]
