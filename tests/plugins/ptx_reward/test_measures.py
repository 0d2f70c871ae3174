"""Measures of scores on pairs, in closed form."""

import math
import random

import pytest

from ptx_reward.measures import calibration_error, credit, ranks, spearman


def test_a_tie_is_half_right():
    assert [credit(1, 0), credit(0, 1), credit(2, 2)] == [1.0, 0.0, 0.5]


def test_a_scorer_whose_margins_are_log_odds_is_calibrated_and_a_sure_one_is_not():
    draw = random.Random(0)
    margins = [draw.gauss(0, 2) for _ in range(20_000)]
    honest = [abs(m) if draw.random() < 1 / (1 + math.exp(-abs(m))) else -abs(m) for m in margins]
    assert calibration_error(honest) < 0.02
    assert calibration_error([10 * one for one in honest]) > 0.1
    assert calibration_error([50.0, -50.0]) == pytest.approx(0.5)


def test_rank_correlation_with_ties():
    assert ranks([3.0, 1.0, 3.0, 2.0]) == [2.5, 0.0, 2.5, 1.0]
    assert spearman([1, 2, 3], [10, 20, 90]) == 1.0
    assert spearman([1, 2, 3], [3, 2, 1]) == -1.0
    assert spearman([1, 2, 2, 4], [1, 3, 2, 4]) == pytest.approx(0.9486832980505138)
    assert math.isnan(spearman([1, 1, 1], [1, 2, 3]))
