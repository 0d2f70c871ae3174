import json

import pytest

from ptx import StepError
from ptx_judge import Rule


def test_both_orders_are_asked_and_equal_answers_are_not(scene):
    found = scene.judged(scene.Moody())
    assert "asked 8" in scene.plugin.log  # four pairs differ
    name = "judge/win_rate_unchecked"
    values = {prompt: row["scores"][name] for prompt, row in scene.rows.items()}
    assert values == {"longer?": 1.0, "shorter?": 0.0, "seat?": 0.5, "odd?": None, "same?": 0.5}
    assert scene.rows["odd?"]["status"] == "unparsable"
    assert scene.rows["odd?"]["said"] == ["I like both.", "between a and bbb"]
    assert found[name, ""].value == 0.5
    assert found[name, ""].n == 4
    assert found[f"{name}/consistency", ""].value == pytest.approx(2 / 3)
    assert found[f"{name}/unparsable", ""].value == 0.2
    # of the odd question one order is known, and it says that the longer answer, ours, is better
    assert (found[f"{name}/worst_case", ""].value, found[f"{name}/best_case", ""].value) == (0.5, 0.6)
    assert found[name, "category=x"].value == 0.5


def test_a_model_compared_with_itself_is_half_and_says_what_to_type(scene):
    found = scene.judged(Rule(), model=scene.base)
    assert found["judge/win_rate_unchecked", ""].value == 0.5
    assert any("eval.judge.against=./" in line for line in scene.said)


def test_a_model_can_be_compared_with_any_folder(scene):
    (scene.tuned.path / "config.json").write_text("{}")
    found = scene.judged(scene.Shorter(), model=scene.base, against=str(scene.tuned.path))
    assert scene.rows["longer?"]["scores"]["judge/win_rate_unchecked"] == 1.0
    assert found["judge/win_rate_unchecked", ""].n == 5


def test_answers_can_be_compared_with_references(scene):
    found = scene.judged(scene.Shorter(), against="references")
    assert {prompt: row["target"] for prompt, row in scene.rows.items()} == {
        "longer?": "bb",
        "shorter?": "bbbb",
    }
    assert found["judge/win_rate_unchecked", ""].value == 0.75  # the same once, shorter once


def test_any_scorer_is_a_judge_by_comparing_its_scores(scene):
    found = scene.judged(scene.Shorter(), margin=1.0)
    assert found["judge/win_rate_unchecked/consistency", ""].value == 1.0
    values = {prompt: row["scores"]["judge/win_rate_unchecked"] for prompt, row in scene.rows.items()}
    assert values == {"longer?": 0.5, "shorter?": 1.0, "seat?": 0.5, "odd?": 0.0, "same?": 0.5}
    assert found["judge/score", ""].value == pytest.approx(-(2 + 3 + 2 + 3 + 2) / 5)


def test_grades_stand_beside_the_win_rate(scene):
    found = scene.judged(scene.Moody(), grade=True)
    assert found["judge/score", ""].n == 4
    assert found["judge/score/unparsable", ""].value == 0.2
    assert scene.rows["odd?"]["scores"]["judge/score"] is None


def test_a_checked_judge_s_win_rate_has_the_plain_name_and_says_its_kappa(scene):
    scene.checked(scene.Moody(), 0.7)
    found = scene.judged(scene.Moody())
    assert found["judge/win_rate/kappa", ""].value == 0.7
    assert found["judge/win_rate/kappa", ""].n == 999
    assert not [name for name, _ in found if "unchecked" in name]


def test_a_kappa_below_the_bound_keeps_the_mark(scene):
    scene.checked(scene.Moody(), 0.5)
    found = scene.judged(scene.Moody())
    assert found["judge/win_rate_unchecked/kappa", ""].value == 0.5
    assert any("agrees too little" in line and "wanted 0.6" in line for line in scene.said)
    assert ("judge/win_rate", "") in scene.judged(scene.Moody(), min_kappa=0.4)


def test_a_judge_without_any_verdict_is_an_error(scene):
    scene.questions.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in ("odd?", "same?")))
    with pytest.raises(
        StepError, match=r"no verdict on any of 1 pairs of answers; the first is unparsable: 'I like both.'"
    ):
        scene.judged(scene.Moody())
