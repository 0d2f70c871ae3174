"""The generated rows: the same bytes every time, well-formed, and right where they claim to be."""

import json
from pathlib import Path

import pytest

from ptx_tiny import SHAPES as DECLARED
from ptx_tiny.data import SHAPES, write_data
from ptx_tiny.replies import extract
from ptx_tiny.template import render

SEGMENTS = {"skill", "language", "difficulty"}
COLUMNS = {
    "messages": {"messages"},
    "pairs": {"prompt", "chosen", "rejected", "flaw"},
    "thumbs": {"prompt", "completion", "label"},
    "prompts": {"prompt", "answer"},
    "safety": {"prompt", "harmful", "reference"},
    "calibration": {"text"},
}


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict]]:
    return {shape: list(make()) for shape, make in SHAPES.items()}


def test_every_byte_is_the_same_when_written_again(tmp_path: Path):
    for name in ("one", "two"):
        write_data(tmp_path / name, home=tmp_path / "home")
    one, two = (
        {p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.*")}
        for n in ("one", "two")
    )
    assert one == two
    assert len(one) == 6 + 2 + 2 * 3  # shapes, held-out and general text, tasks


def test_only_the_shapes_asked_for_are_written_and_always_the_tasks(tmp_path: Path):
    write_data(tmp_path, ["pairs"])
    assert {path.name for path in tmp_path.iterdir()} == {
        "pairs.jsonl",
        "heldout.jsonl",
        "general.jsonl",
        "tasks",
    }


def test_the_shapes_that_the_choices_declare_are_those_that_can_be_written():
    assert tuple(SHAPES) == DECLARED


@pytest.mark.parametrize("shape", SHAPES)
def test_every_row_has_exactly_the_columns_of_its_shape(rows: dict[str, list[dict]], shape: str):
    segments = set() if shape == "calibration" else SEGMENTS
    assert all(set(row) == COLUMNS[shape] | segments for row in rows[shape])


@pytest.mark.parametrize("shape", SHAPES)
def test_every_row_survives_json(rows: dict[str, list[dict]], shape: str):
    assert all(json.loads(json.dumps(row)) == row for row in rows[shape])


def test_every_conversation_alternates_and_ends_with_the_assistant(rows: dict[str, list[dict]]):
    for row in rows["messages"]:
        roles = [message["role"] for message in row["messages"] if message["role"] != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert all(message["content"].strip() == message["content"] != "" for message in row["messages"])


def test_some_conversations_have_a_system_message_and_some_two_turns(rows: dict[str, list[dict]]):
    lengths = [len(row["messages"]) for row in rows["messages"]]
    assert any(row["messages"][0]["role"] == "system" for row in rows["messages"])
    assert min(lengths) == 2
    assert max(lengths) >= 4


def test_chosen_and_rejected_are_never_identical(rows: dict[str, list[dict]]):
    assert all(row["chosen"] != row["rejected"] for row in rows["pairs"])


def test_chosen_is_in_house_format_and_right_by_the_verifier(rows: dict[str, list[dict]]):
    for row in (row for row in rows["pairs"] if row["skill"] != "refuse"):
        chosen, rejected = row["chosen"][0]["content"], row["rejected"][0]["content"]
        assert extract(chosen) is not None
        assert extract(rejected) != extract(chosen)


def test_pairs_hold_wrong_values_and_bad_manners_both(rows: dict[str, list[dict]]):
    flaws = [row["flaw"] for row in rows["pairs"]]
    assert 0.4 < flaws.count("wrong") / len(flaws) < 0.65
    assert set(flaws) == {"wrong", "manner"}


def test_both_thumbs_are_present_in_every_skill_and_mixed(rows: dict[str, list[dict]]):
    labels = [row["label"] for row in rows["thumbs"]]
    assert labels.count(True) == labels.count(False)
    assert max(len(set(labels[start : start + 16])) for start in range(0, len(labels), 16)) == 2
    for skill in {row["skill"] for row in rows["thumbs"]}:
        assert {row["label"] for row in rows["thumbs"] if row["skill"] == skill} == {True, False}


def test_arithmetic_answers_are_right(rows: dict[str, list[dict]]):
    import re

    for row in (row for row in rows["prompts"] if row["skill"] == "add"):
        a, b = map(int, re.findall(r"\d+", row["prompt"][0]["content"]))
        assert int(row["answer"]) == a + b


def test_safety_has_as_many_look_alikes_as_harmful_requests_within_a_fifth(rows: dict[str, list[dict]]):
    harmful = sum(row["harmful"] for row in rows["safety"]) / len(rows["safety"])
    assert 0.4 < harmful < 0.6


def texts(shape: str) -> str:
    """All user turns of a shape, one a line."""
    rows = list(SHAPES[shape]())
    if shape == "calibration":
        return "\n".join(row["text"] for row in rows)
    return "\n".join(render(row.get("messages") or row["prompt"]) for row in rows)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_benchmark_prompt_stands_in_a_training_row(benchmark_prompts: set[str], shape: str):
    text = texts(shape)
    assert not [prompt for prompt in benchmark_prompts if f"|>{prompt}<|" in text]
