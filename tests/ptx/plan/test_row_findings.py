"""All findings on rows: those of the rows, and those of rows as a model reads them."""

import json
from pathlib import Path

import ptx_tiny
from ptx.data import open_data
from ptx.plan.row_findings import of_rows, on_model

TINY = Path(ptx_tiny.__file__).parent / "model"


def data_of(tmp_path, *rows):
    (tmp_path / "my.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return open_data("x", tmp_path / "my.jsonl")


def test_rows_that_stop_are_told_with_their_notes_and_are_not_compared(tmp_path):
    row = {"prompt": "Add 1.", "chosen": "2.", "rejected": "2."}
    problems, notes = of_rows(data_of(tmp_path, row, row), "pairs", {})
    assert [one.name for one in problems] == ["identical-sides"]
    assert "repeated-rows" in [one.name for one in notes]


def test_sound_rows_on_a_model_are_counted_and_have_no_finding(tmp_path):
    data = data_of(tmp_path, {"prompt": "Add 1 and 1.", "completion": "The answer is 2."})
    assert of_rows(data, "completions", {}) == ([], [])
    found, measured = on_model(data, "completions", TINY)
    assert found == ([], [])
    assert measured.longest.startswith("1 example, the longest with")
