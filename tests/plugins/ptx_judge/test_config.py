import json

import pytest

from ptx import RunConfig
from ptx_judge import Endpoint, Judge, Local
from ptx_judge.config import Asked


def test_without_a_step_the_references_are_compared_with_and_with_one_the_baseline(tmp_path, scene):
    for name, rows in (
        ("with", [{"prompt": "2 + 2?", "reference": "4"}]),
        ("without", [{"prompt": "2 + 2?"}]),
    ):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    known, unknown = Judge([str(tmp_path / "with.jsonl")]), Judge([str(tmp_path / "without.jsonl")])
    assert known.resolved(RunConfig()).against == "references"
    assert unknown.resolved(RunConfig()).against == "baseline"
    assert known.resolved(RunConfig(compress={"any": scene.Canned()})).against == "baseline"
    assert Judge(known.tasks, against="baseline").resolved(RunConfig()).against == "baseline"


def test_a_check_is_part_of_an_evaluation_s_key(scene):
    evaluator = Judge(tasks=[str(scene.questions)], scorer="it")
    before = evaluator.inputs()
    scene.checked(scene.Moody(), 0.7)
    assert len(evaluator.inputs()) == len(before) + 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"against": "nobody"}, "eval.judge.against must be auto, baseline, references or a model folder"),
        ({"limit": 0}, "eval.judge.limit must be at least 1, got 0"),
        ({"min_kappa": 2}, "eval.judge.min_kappa must lie between -1 and 1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        Judge(**settings)


def test_an_address_with_a_password_is_refused():
    with pytest.raises(ValueError, match="must hold no key or password"):
        Endpoint(base_url="http://me:secret@host/v1")


def test_a_judge_s_weights_and_rubrics_decide_its_key(chat_model, rubrics):
    assert len(Local(model=str(chat_model), **rubrics).inputs()) == 3
    assert Asked().comparing().compare is True
