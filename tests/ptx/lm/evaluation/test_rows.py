"""Held-out rows of any shape."""

import json

from ptx.lm.evaluation.rows import read_rows, row_problems


def test_rows_are_read_and_everything_wrong_is_named(tmp_path):
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text(json.dumps({"prompt": "q", "steps": ["a"], "labels": [True]}) + "\n")
    bad.write_text(json.dumps({"prompt": "q", "steps": ["a"], "labels": []}) + "\n")
    assert row_problems("steps", "eval.x.steps", [str(good)], None) == []
    assert read_rows("steps", "eval.x.steps", [str(good)], None)[0]["labels"] == [True]
    found = row_problems("steps", "eval.x.steps", [str(bad), str(tmp_path / "none.jsonl")], None)
    assert "a label for each step" in found[0].what
    assert "eval.x.steps: no file or folder" in found[1].what
    assert "eval.x.steps is empty" in row_problems("steps", "eval.x.steps", [], None)[0].what
