"""Columns that are there and not used as they are meant."""

import pytest

from ptx.data import check

ROW = {"prompt": "Name a colour.", "completion": "Blue."}


@pytest.mark.parametrize(
    ("more", "fix"),
    [
        ({"sytem": "Be brief."}, "did you mean 'system'? data.columns.system=sytem"),
        ({"contxt": "The sky."}, "did you mean 'context'? data.columns.context=contxt"),
        ({"System_Prompt": "Be brief."}, ""),
        ({"source": "web", "id": 7, "model": "x", "title": "y"}, ""),
    ],
)
def test_a_column_whose_name_is_nearly_one_that_is_read_is_told(opened, tmp_path, more, fix):
    notes = check(opened(tmp_path, {**ROW, **more}), "completions")[1]
    assert [note.fix for note in notes] == ([fix] if fix else [])


@pytest.mark.parametrize("value", [False, 0, "no", "-1", "bad"])
def test_replies_that_a_verdict_calls_bad_are_told_where_they_would_be_imitated(opened, tmp_path, value):
    rows = [{**ROW, "liked": True}, {**ROW, "completion": "Wood.", "liked": value}]
    (note,) = check(opened(tmp_path, *rows), "completions")[1]
    assert (note.name, note.places) == ("disliked-imitated", ("file my.jsonl line 2",))
    assert check(opened(tmp_path, {**ROW, "liked": "yes"}), "completions")[1] == []


def test_rows_that_a_column_keeps_for_a_test_are_told(opened, tmp_path):
    rows = [{**ROW, "split": "train"}, {**ROW, "completion": "Red.", "split": "Test"}]
    (note,) = check(opened(tmp_path, *rows), "completions")[1]
    assert (note.name, note.places) == ("held-out-trained", ("file my.jsonl line 2",))
    assert check(opened(tmp_path, {**ROW, "split": "train"}), "completions")[1] == []


def test_replies_that_a_column_grades_are_not_imitated_in_silence(tmp_path, opened, refused):
    """HelpSteer: two replies to each prompt, with their grades."""
    graded = [
        {"prompt": "q", "response": text, "helpfulness": grade, "correctness": 4, "verbosity": 2}
        for text, grade in (("good", 4), ("poor", 1))
    ]
    data = opened(tmp_path, *graded)
    notes = [note for note in check(data, "completions")[1] if note.name == "graded-imitated"]
    assert "helpfulness grades several replies to one prompt" in notes[0].what
    words = "score=helpfulness out=./pairs.jsonl"
    assert words in notes[0].fix
    assert f"make pairs: ptx data pairs data=./my.jsonl {words}" in refused(
        lambda: data.require(["pairs"], "dpo")
    )
    alone = opened(tmp_path, *[{**row, "prompt": row["response"]} for row in graded])
    assert "graded-imitated" not in [note.name for note in check(alone, "completions")[1]]
