import pytest

from ptx import StepError
from ptx_judge import Rule
from ptx_judge.check import ask, measure
from ptx_judge.outcomes import TIE
from ptx_judge.verdicts import Pair


def pair(number, first, second, *labels):
    return Pair(str(number), "Say something.", (first, second), labels)


def test_a_judge_that_scores_is_asked_about_each_answer_and_ties_within_the_margin(judging):
    pairs = [pair(0, "one two three", "go on " * 60), pair(1, "the same", "as this")]
    first, second = ask(judging(Rule()), Rule(), pairs, 0.0)
    assert (first.value, second.value) == (1.0, TIE)
    assert ask(judging(Rule()), Rule(), pairs, 1.0)[0].value == TIE


def test_a_judge_s_agreement_is_that_with_the_majority(judging, tmp_path):
    (tmp_path / "people.json").write_text("[]")
    pairs = [pair(n, "one two three", "go on " * 60, "1", "1") for n in range(3)]
    pairs += [pair(3, "the same", "the same", "0", "0"), pair(4, "one two three", "go on " * 60, "2", "2")]
    judge, found, check = measure(judging(Rule()), "rule", Rule(), pairs, 0.0, tmp_path / "people.json")
    assert judge.labels == {"0": "1", "1": "1", "2": "1", "3": "0", "4": "1"}
    assert found.share == check.agreement == 0.8
    assert (check.n, check.unparsable, check.data) == (5, 0, "people.json")


def test_a_judge_without_a_single_verdict_cannot_be_checked(scene, judging, tmp_path):
    pairs = [Pair("0", "odd?", ("b", "bb"), ("1", "1"))]
    run = judging(scene.Moody(), scene.plugin)
    with pytest.raises(StepError, match="the judge moody gave no verdict on any of the 1 pairs"):
        measure(run, "moody", scene.Moody(), pairs, 0.0, tmp_path / "people.json")
