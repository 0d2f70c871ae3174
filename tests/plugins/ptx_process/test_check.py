"""Problems before a model is loaded."""

import json

import pytest

from ptx import ConfigError, Lora
from ptx.data import check, open_data
from ptx_process import ProcessEvaluation, ProcessReward
from ptx_process.check import file_problems, model_problems


def written(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_files_are_tried(tmp_path):
    good = written(tmp_path / "good.jsonl", {"prompt": "q", "steps": ["a"], "labels": [True]})
    assert file_problems(ProcessEvaluation(steps=[str(good)])) == []
    assert "is empty" in file_problems(ProcessEvaluation())[0].what
    assert "no file" in file_problems(ProcessEvaluation(steps=[str(tmp_path / "none.jsonl")]))[0].what
    other = written(tmp_path / "other.jsonl", {"prompt": "q", "answer": "a"})
    assert len(file_problems(ProcessEvaluation(steps=[str(other)]))) == 1


def test_trl_rows_are_steps_and_their_labels_are_read(tmp_path):
    row = {"prompt": "q", "completions": ["a", "b"], "labels": [1, 0]}
    data = open_data("s", written(tmp_path / "s.jsonl", row))
    assert data.rows("steps") == [{"prompt": "q", "steps": ["a", "b"], "labels": [True, False]}]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"prompt": "q", "steps": ["a", "b"], "labels": [True]}, "a label for each step, got 2 steps and 1"),
        ({"prompt": "q", "steps": ["a", " "], "labels": [True, True]}, "step 2 must be a text"),
        ({"prompt": "q", "steps": ["a"], "labels": ["maybe"]}, "label 1 must be true or false, got 'maybe'"),
        ({"prompt": "q", "steps": "a", "labels": [True]}, "steps and labels must be lists"),
    ],
)
def test_wrong_rows_are_named_with_their_line(tmp_path, row, said):
    try:
        problems = check(open_data("s", written(tmp_path / "s.jsonl", row)), "steps")[0]
    except ConfigError as error:
        problems = error.problems
    assert said in str(problems[0])
    assert "line 1" in str(problems[0])


def test_a_template_and_a_merged_adapter_are_needed(plain_model, chat_model):
    assert model_problems(ProcessReward(), chat_model) == []
    assert "no chat template" in model_problems(ProcessReward(), plain_model)[0].what
    assert "merge=false" in model_problems(ProcessReward(lora=Lora(merge=False)), chat_model)[0].what
