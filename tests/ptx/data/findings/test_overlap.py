"""Rows of a test file that the training file has too."""

import pytest

from ptx.data import open_data
from ptx.data.findings.overlap import overlaps


def answer(number):
    return {"prompt": f"Question {number}?", "completion": f"Answer {number}."}


@pytest.mark.parametrize(
    ("train", "test"), [("train", "test"), ("my", "my_test"), ("my_train", "my-validation")]
)
def test_prompts_in_both_files_are_told_with_their_lines(tmp_path, write_rows, train, test):
    file = write_rows(tmp_path / f"{train}.jsonl", *map(answer, range(9)))
    write_rows(tmp_path / f"{test}.jsonl", answer(20), answer(3), {**answer(4), "completion": "another"})
    (note,) = overlaps(open_data("x", file), "completions")
    assert note.what == (
        f"file {test}.jsonl line 2: asks what a row of {train}.jsonl asks, so a test on it measures memory"
        " (and 1 more of 3 rows: line 3)"
    )


def test_conversations_are_compared_up_to_the_reply(tmp_path, write_rows):
    def turns(asked, said):
        return {
            "messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": said}],
        }

    file = write_rows(tmp_path / "train.jsonl", turns("a", "b"))
    write_rows(tmp_path / "test.jsonl", turns("a", "c"), turns("d", "e"))
    assert len(overlaps(open_data("x", file), "messages")) == 1


def test_other_files_and_files_without_common_rows_are_no_finding(tmp_path, write_rows):
    file = write_rows(tmp_path / "train.jsonl", *map(answer, range(9)))
    write_rows(tmp_path / "test.jsonl", answer(20))
    write_rows(tmp_path / "valid.jsonl", {"text": "Question 1?"})
    write_rows(tmp_path / "notes.jsonl", answer(1))
    (tmp_path / "dev.jsonl").write_text("broken")
    (tmp_path / "heldout.txt").write_text("Question 1?")
    assert overlaps(open_data("x", file), "completions") == []
    assert overlaps(open_data("x", tmp_path / "test.jsonl"), "completions") == []
