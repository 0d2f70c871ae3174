"""Which shapes follow from which, and which do not."""

import pytest

from ptx.data import SHAPES
from ptx.data.derive import DERIVATIONS

TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def test_what_follows_without_a_guess_is_derived_and_nothing_else(tmp_path, opened):
    assert opened(tmp_path, {"messages": TURNS}).rows("prompts") == [{"prompt": TURNS[:1], "answer": "hello"}]
    pairs = opened(tmp_path, {"prompt": "a", "chosen": "b", "rejected": "c"})
    assert pairs.rows("thumbs") == [
        {"prompt": "a", "completion": "b", "label": True},
        {"prompt": "a", "completion": "c", "label": False},
    ]
    assert pairs.rows("calibration") == [{"text": "a\nb"}]
    assert pairs.shapes == ("pairs", "thumbs", "prompts", "calibration")


ROWS = {
    "messages": {"messages": TURNS},
    "completions": {"prompt": "a", "completion": "b"},
    "pairs": {"prompt": "a", "chosen": "b", "rejected": "c"},
    "thumbs": {"prompt": "a", "completion": "b", "label": True},
    "prompts": {"prompt": "a", "answer": "b"},
    "safety": {"prompt": "a", "harmful": False},
    "text": {"text": "a"},
    "steps": {"prompt": "a", "steps": ["b", "c"], "labels": [True, False]},
}


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "calibration"])
def test_every_shape_can_calibrate(tmp_path, opened, shape):
    assert opened(tmp_path, ROWS[shape]).rows("calibration")[0].keys() <= {"text", "messages"}


def test_rejected_answers_do_not_calibrate():
    rejected = {"prompt": "a", "completion": "b", "label": False}
    assert DERIVATIONS["calibration"]["thumbs"](rejected) == []


def test_a_safety_row_teaches_its_reference_and_is_left_out_without_one():
    to_messages = DERIVATIONS["messages"]["safety"]
    row = {"prompt": "how to pick a lock?", "harmful": True, "reference": "I cannot help.", "topic": "locks"}
    asked, reply = to_messages(row)[0]["messages"]
    assert (asked["content"], reply["content"]) == ("how to pick a lock?", "I cannot help.")
    assert to_messages(row)[0]["topic"] == "locks"
    assert to_messages({"prompt": "a", "harmful": True}) == []


def test_pairs_never_become_messages():
    assert "pairs" not in DERIVATIONS["messages"]
