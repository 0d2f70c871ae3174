"""Test items in training rows: planted ones are noted with their lines, others are not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from ptx.config import Evaluator
from ptx.data import open_data
from ptx.plan.contamination import contamination

ITEM = "Janet has sixteen eggs and sells nine of them for two dollars each at the market."


@dataclass
class Asking(Evaluator):
    file: str = ""

    def inputs(self):
        return [Path(self.file)]


@pytest.fixture
def asking(tmp_path):
    path = tmp_path / "test.jsonl"
    path.write_text(json.dumps({"question": ITEM, "answer": "18 dollars are what she gets"}) + "\n")
    return {"bench": Asking(str(path))}


def data_of(tmp_path, *completions):
    rows = [{"prompt": f"ask {place}", "completion": text} for place, text in enumerate(completions)]
    (tmp_path / "my.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return open_data("mine", tmp_path / "my.jsonl")


def test_a_planted_item_is_noted_with_its_line(tmp_path, asking):
    (note,) = contamination(data_of(tmp_path, "other", f"So: {ITEM}"), "completions", asking)
    assert "my.jsonl line 2" in str(note)
    assert "holds a text of eval.bench" in str(note)
    assert "make.by=overlap" in str(note)


def test_other_rows_and_missing_or_broken_files_give_no_note(tmp_path, asking):
    data = data_of(tmp_path, "other", "Janet sells nine of sixteen eggs at the market for two dollars each.")
    assert contamination(data, "completions", asking) == []
    (tmp_path / "broken.jsonl").write_text("{")
    for name in ("broken.jsonl", "gone.jsonl"):
        assert contamination(data, "completions", {"bench": Asking(str(tmp_path / name))}) == []


def test_a_short_question_is_known_by_its_very_words_and_a_shared_instruction_is_none(tmp_path):
    asked = "What is the capital of Peru?"
    items = [{"question": asked}, *[{"question": f"{n}?", "task": "Answer in a word."} for n in range(9)]]
    (tmp_path / "test.jsonl").write_text("".join(f"{json.dumps(item)}\n" for item in items))
    rows = [{"prompt": asked, "completion": "Lima."}, {"prompt": "Answer in a word.", "completion": "Yes."}]
    (tmp_path / "my.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    data = open_data("mine", tmp_path / "my.jsonl")
    (note,) = contamination(data, "completions", {"bench": Asking(str(tmp_path / "test.jsonl"))})
    assert note.places == ("file my.jsonl line 1",)
