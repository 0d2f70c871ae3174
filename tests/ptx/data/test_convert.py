"""Rows of a file become canonical rows: prompts, replies, system texts and dialogues."""

import pytest

from ptx.data.convert import convert
from ptx.data.shapes import recognise
from ptx.data.turns import RowError

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
