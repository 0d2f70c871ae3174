"""Both orders: a judge that follows the position, one that follows the answers, and one that only scores."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from ptx import Score
from ptx.config import Scorer
from ptx.lm.evaluation.orders import both_orders, by_scores, turned, verdicts


class Compares(Scorer):
    def comparing(self):
        return self


def asked_by(say):
    """A run whose judge says ``say(completion, reference)``; it keeps what it was asked."""
    asked = []

    def score(judge, prompts, completions, references):
        asked.extend(zip(prompts, completions, references, strict=True))
        return [say(*one) for one in zip(completions, references, strict=True)]

    return SimpleNamespace(score=score, asked=asked)


def test_a_judge_that_follows_the_answers_agrees_with_itself():
    run = asked_by(lambda first, second: float(len(first) > len(second)))
    assert both_orders(run, Compares(), ["q", "r"], ["long", "a"], ["b", "longer"]) == [(1, 1), (0, 0)]
    assert run.asked == [("q", "long", "b"), ("r", "a", "longer"), ("q", "b", "long"), ("r", "longer", "a")]


def test_a_judge_that_follows_the_position_contradicts_itself():
    assert both_orders(asked_by(lambda *_: 1.0), Compares(), ["q"], ["a"], ["b"]) == [(1, 0)]


def test_equal_answers_are_a_tie_and_not_asked():
    run = asked_by(lambda *_: 1.0)
    assert both_orders(run, Compares(), ["q"], ["a"], ["a"]) == [(0.5, 0.5)]
    assert run.asked == []


def test_a_judge_that_only_scores_is_asked_about_each_answer_with_its_reference():
    run = asked_by(lambda text, reference: math.nan if text == "?" else float(text == reference))
    found = verdicts(run, Scorer(), ["p", "q", "r"], ["4", "5", "?"], ["5", "6", "4"], ["4", "4", "4"], 0.0)
    assert found[:2] == [(1, 1), (0.5, 0.5)]
    assert all(map(math.isnan, found[2]))


@pytest.mark.parametrize(("margin", "verdict"), [(0.0, 1.0), (1.0, 0.5)])
def test_scores_within_the_margin_are_a_tie(margin, verdict):
    assert by_scores(2.0, 1.0, margin) == verdict


def test_a_verdict_keeps_what_the_judge_has_said():
    seen = turned(Score(1.0, "ok", "A is right"))
    assert (seen, seen.said) == (0.0, "A is right")
