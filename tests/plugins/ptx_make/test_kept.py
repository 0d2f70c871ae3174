"""What is kept of scored answers: never a tie, never an answer without an end or a score."""

from __future__ import annotations

import math

import pytest

from ptx_make import Sample
from ptx_make.kept import Scored, kept

ROW = {"prompt": "2 + 2?", "answer": "4", "skill": "sum"}


def group(*scores):
    return [Scored(f"answer {place}", score, 3, True) for place, score in enumerate(scores)]


def test_the_best_answer_of_equal_ones_is_the_first():
    (row,) = kept(Sample(), ROW, group(0.5, 1, 1))
    assert row["messages"][-1] == {"role": "assistant", "content": "answer 1"}
    assert (row["score"], row["answer"]) == (1, "4")


def test_several_answers_of_one_prompt_are_different_texts():
    twice = [Scored("same", 1, 3, True), Scored(" same", 1, 3, True), Scored("other", 0.5, 3, True)]
    assert [row["messages"][-1]["content"] for row in kept(Sample(top=3), ROW, twice)] == ["same", "other"]


@pytest.mark.parametrize(("above", "count"), [(0.0, 0), (-1.0, 1), (None, 1)])
def test_an_answer_is_kept_only_above_the_threshold(above, count):
    assert len(kept(Sample(above=above), ROW, group(0, -2))) == count


def test_pairs_are_the_best_and_the_worst_and_never_a_tie():
    (row,) = kept(Sample(keep="pairs"), ROW, group(0, 1, 0.5))
    assert (row["chosen"], row["rejected"]) == ("answer 1", "answer 0")
    assert kept(Sample(keep="pairs"), ROW, group(1, 1, 1, 1)) == []
    assert kept(Sample(keep="pairs", margin=1), ROW, group(0, 1)) == []
    assert len(kept(Sample(keep="pairs", margin=0.9), ROW, group(0, 1))) == 1


def test_what_did_not_end_has_no_score_or_says_nothing_is_never_learnt():
    useless = [Scored("cut", 1, 9, False), Scored("unscored", math.nan, 3, True), Scored(" ", 1, 1, True)]
    for keep in ("messages", "pairs", "thumbs"):
        assert kept(Sample(keep=keep), ROW, useless) == []
    assert kept(Sample(keep="pairs"), ROW, [*useless, *group(0)]) == []


def test_verdicts_are_those_of_the_scorer():
    rows = kept(Sample(keep="thumbs", above=0.5), ROW, group(0, 1, 0.5))
    assert [row["label"] for row in rows] == [False, True, False]


@pytest.mark.parametrize(("scores", "kept_"), [((1, 1), 0), ((0, 0), 0), ((1, 0), 1), ((1, math.nan), 1)])
def test_prompts_that_are_solved_sometimes_are_kept(scores, kept_):
    rows = kept(Sample(keep="prompts", n=2), ROW, group(*scores))
    assert rows == [{"prompt": "2 + 2?", "answer": "4", "solved": 0.5}][:kept_]


def test_a_reply_has_the_form_of_its_prompt():
    asked = [{"role": "user", "content": "2 + 2?"}]
    (row,) = kept(Sample(keep="pairs"), ROW | {"prompt": asked}, group(0, 1))
    assert row["chosen"] == [{"role": "assistant", "content": "answer 1"}]
