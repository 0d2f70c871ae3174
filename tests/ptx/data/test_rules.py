"""The rules for one row: what is wrong with it, and nothing for a row that is good."""

import pytest

from ptx.data.records import Record
from ptx.data.rules import RULES, faults_of, unreadable

GOOD = {
    "messages": {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
    "completions": {"prompt": "a", "completion": "b"},
    "pairs": {"prompt": "a", "chosen": "b", "rejected": "c"},
    "thumbs": {"prompt": "a", "completion": "b", "label": False},
    "prompts": {"prompt": "a", "answer": 0},
    "safety": {"prompt": "a", "harmful": True},
    "text": {"text": "a"},
    "calibration": {"text": "a"},
}


@pytest.mark.parametrize("shape", GOOD)
def test_a_good_row_has_no_fault_and_a_row_of_numbers_has_one(shape):
    row = GOOD[shape]
    assert [*RULES[shape](row)] == []
    name = next(iter(row))
    if shape != "messages":
        assert [what for _, what, _ in RULES[shape]({**row, name: 3})] == [f"{name} must be text, got 3"]


def test_only_texts_must_be_readable_for_another_shape_to_follow():
    row = {"prompt": "a", "completion": None, "label": "maybe"}
    [fault] = faults_of([Record("my.jsonl", 4, row)], unreadable("thumbs"))
    assert (fault.place.line, fault.what) == (4, "completion must be text, got None")


def test_steps_are_described_and_checked_like_other_rows(tmp_path):
    from ptx.data import check, open_data

    file = tmp_path / "steps.jsonl"
    file.write_text('{"prompt": "q", "completions": ["a", "b"], "labels": [1, 0], "more": 1}\n')
    data = open_data("steps", file)
    assert check(data, "steps")[0] == []
    assert "not trained on: more" in data.describe("steps")


@pytest.mark.parametrize("value", [GOOD["messages"]["messages"], ["one", "two"], {"en": "one"}, [1], []])
def test_a_text_is_no_list_and_no_object(value):
    (fault,) = faults_of([Record("my.jsonl", 1, {"text": value})], RULES["text"])
    assert (fault.name, fault.what.partition(", got ")[0]) == ("not-text", "text must be text")
    assert faults_of([Record("my.jsonl", 1, {"text": value})], unreadable("text")) == [fault]


@pytest.mark.parametrize("arguments", ['{"a": 1, ', [1, 2], "a=1", 3])
def test_arguments_of_a_call_are_an_object(arguments):
    call = {"type": "function", "function": {"name": "add", "arguments": arguments}}
    reply = {"role": "assistant", "content": None, "tool_calls": [call]}
    rows = {
        "messages": {"messages": [{"role": "user", "content": "add"}, reply]},
        "pairs": {
            "prompt": [{"role": "user", "content": "add"}],
            "chosen": [reply],
            "rejected": [{"role": "assistant", "content": "no"}],
        },
    }
    for shape, row in rows.items():
        (fault,) = faults_of([Record("my.jsonl", 1, row)], RULES[shape])
        assert fault.name == "broken-call"
        assert fault.what == f"a call of add has arguments that are no JSON object, got {arguments!r}"
