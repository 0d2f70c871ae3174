"""Verdicts in both orders: which pairs stay, and what chance alone would give."""

from __future__ import annotations

import math
import random

import pytest

from ptx_label import Label
from ptx_label.kept import Judged, Pair, agreeing, exchanged, middle, numbers_of_pairs, settled

PAIR = Pair({"prompt": "p"}, ("a", "b"), labelled=False)


@pytest.mark.parametrize(
    ("both", "chosen"),
    [
        ((1.0, 1.0), ["a"]),
        ((0.0, 0.0), ["b"]),
        ((1.0, 0.0), []),
        ((0.5, 0.5), []),
        ((1.0, 0.5), []),
        ((1.0, math.nan), []),
    ],
)
def test_a_pair_is_kept_only_where_both_orders_prefer_the_same_answer(both, chosen):
    assert [row["chosen"] for row in agreeing(Label(), PAIR, both)] == chosen


def test_a_judge_that_guesses_agrees_with_itself_by_chance():
    draw = random.Random(0)
    said = [(float(draw.random() > 0.5), float(draw.random() > 0.5)) for _ in range(4000)]
    found, words = numbers_of_pairs(said, labelled=True, ordered=True)
    assert found["consistency"] == pytest.approx(0.5, abs=0.03)
    assert found["kappa"] == pytest.approx(0, abs=0.05)
    assert found["label_kappa"] == pytest.approx(0, abs=0.05)
    assert "consistency 5" in words or "consistency 4" in words


def test_a_judge_that_is_right_in_nine_of_ten_pairs_has_the_kappa_of_that():
    said = [(1.0, 1.0)] * 90 + [(0.0, 0.0)] * 10
    found, _ = numbers_of_pairs(said, labelled=True, ordered=False)
    assert found["agreement"] == 0.9
    assert "consistency" not in found  # nobody has asked it twice
    assert found["label_kappa"] == pytest.approx(0.8)  # 2 * 0.9 - 1: either answer is shown first as often


def test_a_judge_without_verdicts_has_no_numbers():
    assert numbers_of_pairs([(math.nan, 1.0)], labelled=False, ordered=True)[0] == {"unscored": 1}


def test_what_is_noted_of_a_side_moves_with_it():
    row = {"prompt": "p", "chosen": "a", "rejected": "b", "score_chosen": 1, "score_rejected": 0, "id": 3}
    back = exchanged(row)
    assert back == row | {"chosen": "b", "rejected": "a", "score_chosen": 0, "score_rejected": 1}
    assert exchanged(back) == row


def test_an_answer_without_a_score_has_no_label():
    assert settled(Label(keep="thumbs"), Judged({"prompt": "p"}, "a"), math.nan, 0.0) == []


@pytest.mark.parametrize(("bounds", "half"), [((1.0, 10.0), 5.5), ((-math.inf, math.inf), 0.0)])
def test_good_begins_at_the_middle_of_the_scale(bounds, half):
    assert middle(bounds) == half
