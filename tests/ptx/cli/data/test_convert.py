"""ptx data convert: what it writes is read back as the shape that was asked for."""

import pytest

from ptx.data import check, open_data

QUESTION, ANSWER = {"role": "user", "content": "why?"}, {"role": "assistant", "content": "so"}
OTHER = {"role": "assistant", "content": "no"}
ROWS = {
    "completions": [{"prompt": "why?", "completion": "so", "source": "me"}],
    "messages": [{"messages": [QUESTION, ANSWER]}, {"messages": [QUESTION, ANSWER, QUESTION, ANSWER]}],
    "pairs": [{"prompt": "why?", "chosen": "so", "rejected": "no"}],
    "thumbs": [
        {"prompt": [QUESTION], "completion": [ANSWER], "label": True},
        {"prompt": [QUESTION], "completion": [OTHER], "label": False},
    ],
}


@pytest.mark.parametrize(
    ("origin", "shape", "rows"),
    [
        ("completions", "messages", [{"messages": [QUESTION, ANSWER]}]),
        ("messages", "completions", [{"prompt": "why?", "completion": "so"}]),
        ("pairs", "messages", [{"messages": [QUESTION, ANSWER]}]),
        ("pairs", "completions", [{"prompt": "why?", "completion": "so"}]),
        ("thumbs", "messages", [{"messages": [QUESTION, ANSWER]}]),
        ("thumbs", "completions", [{"prompt": "why?", "completion": "so"}]),
        ("completions", "prompts", [{"prompt": "why?", "answer": "so"}]),
        ("completions", "completions", [{"prompt": "why?", "completion": "so"}]),
    ],
)
def test_rows_in_another_shape(data, written, tmp_path, origin, shape, rows):
    code, said = data("convert", f"to={shape}", "out=./new.jsonl", rows=ROWS[origin])
    assert (code, written("new.jsonl")) == (0, rows), said
    opened = open_data("new", tmp_path / "new.jsonl")
    assert check(opened, shape)[0] == []


def test_what_is_lost_on_the_way_is_said(data):
    said = data("convert", "to=completions", "out=./new.jsonl", rows=ROWS["messages"])[1]
    assert "1 rows" not in said
    assert (
        "1 row, messages → completions; conversations of more than one question and answer are left out"
        in said
    )


def test_a_shape_that_would_be_a_guess_is_refused_with_those_that_there_are(data, tmp_path):
    code, said = data("convert", "to=pairs", "out=./new.jsonl", rows=ROWS["completions"])
    assert code == 2
    assert (
        "pairs cannot be made of completions; possible: completions, prompts, calibration, messages" in said
    )
    assert not (tmp_path / "new.jsonl").exists()


def test_an_unknown_shape_a_faulty_row_and_a_taken_name_are_refused(data):
    assert "no shape 'chat'" in data("convert", "to=chat", "out=./new.jsonl", rows=ROWS["pairs"])[1]
    faulty = [{"prompt": "why?", "completion": ""}]
    assert "completion is empty" in data("convert", "to=messages", "out=./new.jsonl", rows=faulty)[1]
    assert "exists already" in data("convert", "to=messages", "out=./my.jsonl", rows=ROWS["pairs"])[1]
