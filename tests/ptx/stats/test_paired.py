"""Paired differences: closed forms, verdicts, and coverage by simulation."""

import math
import random
from statistics import stdev

import numpy as np
import pytest

from ptx.errors import PtxError
from ptx.stats import (
    Difference,
    join,
    mcnemar,
    paired_across_seeds,
    paired_difference,
    t_tail,
)
from ptx.stats.distributions import binomial_tail


def test_mcnemar_is_the_two_sided_binomial_test():
    scipy_stats = pytest.importorskip("scipy.stats", reason="scipy comes with lm-eval")
    for won, lost in [(0, 0), (5, 0), (10, 4), (4, 10), (7, 7), (120, 80)]:
        expected = scipy_stats.binomtest(won, won + lost).pvalue if won + lost else 1.0
        assert mcnemar(won, lost) == pytest.approx(expected)
    assert mcnemar(5, 0) == 0.0625
    assert binomial_tail(2, 10, 0.3) == pytest.approx(scipy_stats.binom.cdf(2, 10, 0.3))


def test_right_and_wrong_are_tested_exactly():
    won = {str(i): 1.0 for i in range(5)} | {str(i): 1.0 for i in range(5, 60)}
    lost = {str(i): 0.0 for i in range(5)} | {str(i): 1.0 for i in range(5, 60)}
    found = paired_difference(won, lost)
    assert found.p == 0.0625
    assert found.verdict == "same"


def test_mcnemar_rejects_equal_models_no_more_often_than_it_says():
    generator = np.random.default_rng(0)
    changed = generator.binomial(60, 0.3, 2000)
    assert (
        np.mean([mcnemar(won := int(generator.binomial(n, 0.5)), int(n) - won) < 0.05 for n in changed])
        <= 0.055
    )


def test_an_incomplete_join_says_what_is_missing():
    with pytest.raises(PtxError, match=r"2 of 3 items are missing on side 2 of 2: q2, q3"):
        paired_difference({"q1": 1.0, "q2": 0.0, "q3": 1.0}, {"q1": 1.0})
    with pytest.raises(PtxError, match=r"1 of 2 items are missing on side 1 of 2: q2"):
        join([{"q1": 1.0}, {"q1": 1.0, "q2": 0.0}])


def test_unscored_items_are_counted_and_bounded():
    a = {"q1": 1.0, "q2": math.nan, "q3": 1.0, "q4": 0.0}
    b = {"q1": 1.0, "q2": 1.0, "q3": math.nan, "q4": 0.0}
    found = paired_difference(a, b, span=(0.0, 1.0))
    assert (found.n, found.unscored) == (2, 2)
    # worst for a: q2 wrong, and b's q3 right; best: q2 right, b's q3 wrong
    assert found.bounds == (2 / 4 - 3 / 4, 3 / 4 - 2 / 4)
    assert paired_difference(a, b).bounds is None
    assert paired_difference(b, b | {"q3": math.nan}, span=(0.0, 1.0)).bounds == (-0.25, 0.25)


def test_tied_means_that_the_interval_holds_zero():
    assert Difference(0.1, -0.1, 0.3, 20, 0.3).tied
    assert not Difference(0.1, 0.05, 0.15, 20, 0.001).tied
    assert Difference(math.nan, -math.inf, math.inf, 0).tied


def test_paired_difference_of_many_even_gaps_is_the_paired_t_interval():
    gaps = [0.3 + math.sin(i) for i in range(44)]
    found = paired_difference({str(i): g + i for i, g in enumerate(gaps)}, {str(i): i for i in range(44)})
    error = stdev(gaps) / math.sqrt(44)
    assert found.high - found.low == pytest.approx(2 * 2.0166922 * error, rel=0.01)
    assert found.p == pytest.approx(2 * t_tail(found.value / error, 43), rel=0.05)


def test_paired_difference_of_right_and_wrong_is_bonett_and_prices():
    # 10 items won, 4 lost, 86 unchanged
    pairs = [(1.0, 0.0)] * 10 + [(0.0, 1.0)] * 4 + [(1.0, 1.0)] * 86
    found = paired_difference(
        {str(i): a for i, (a, _) in enumerate(pairs)}, {str(i): b for i, (_, b) in enumerate(pairs)}
    )
    won, lost = 11 / 102, 5 / 102
    half = 1.9599640 * math.sqrt((won + lost - (won - lost) ** 2) / 102)
    assert found.value == pytest.approx(0.06)
    assert (found.low, found.high) == pytest.approx((won - lost - half, won - lost + half))


def test_equal_outcomes_on_a_few_items_do_not_prove_equality():
    scores = {str(i): 1.0 for i in range(5)}
    found = paired_difference(scores, scores)
    assert found.value == 0
    assert found.low < -0.2
    assert found.high > 0.2


@pytest.mark.parametrize(("n", "p_a", "p_b"), [(40, 0.6, 0.6), (100, 0.9, 0.7), (60, 0.97, 0.95)])
def test_paired_binary_difference_covers_as_often_as_it_says(covered, n, p_a, p_b):
    def draw(generator):
        luck = [(generator.random(), generator.random()) for _ in range(n)]
        # half of the items share their difficulty between the models
        a = {str(i): float(u < p_a) for i, (u, _) in enumerate(luck)}
        b = {str(i): float((u if i % 2 else v) < p_b) for i, (u, v) in enumerate(luck)}
        found = paired_difference(a, b)
        return found.low, found.high

    # near the ends the added items make it too wide, as the paper says; never too narrow
    assert covered(draw, p_a - p_b) >= 0.94


def test_paired_real_difference_covers_as_often_as_it_says(covered):
    def draw(generator):
        base = [generator.gauss(0, 5) for _ in range(40)]
        a = {str(i): x + generator.gauss(0.5, 1) for i, x in enumerate(base)}
        found = paired_difference(a, {str(i): x for i, x in enumerate(base)})
        return found.low, found.high

    assert covered(draw, 0.5) == pytest.approx(0.95, abs=0.02)


def test_a_few_equal_gaps_prove_nothing():
    def shifted(n):
        return paired_difference({str(i): i + 0.5 for i in range(n)}, {str(i): float(i) for i in range(n)})

    assert [shifted(n).verdict for n in (1, 6, 29, 30)] == ["too few", "too few", "too few", "better"]
    assert shifted(29).low == -math.inf


def test_unscored_items_are_left_out_of_the_pair():
    found = paired_difference({"x": 1.0, "y": math.nan, "z": 0.5}, {"x": 0.5, "y": 1.0, "z": math.nan})
    assert (found.n, found.value, found.verdict) == (1, 0.5, "too few")


def test_nothing_scored_is_no_verdict():
    found = paired_difference({"x": 1.0, "y": math.nan}, {"x": math.nan, "y": 1.0})
    assert (found.n, found.unscored, found.verdict) == (0, 2, "same")
    assert math.isnan(found.value)


def test_a_difference_whose_interval_holds_zero_is_never_a_win():
    assert Difference(0.2, -0.01, 0.41, 50, p=0.06).verdict == "same"
    assert Difference(0.2, 0.0, 0.4, 50, p=0.05).verdict == "same"
    assert Difference(0.2, 0.01, 0.39, 50, p=0.04).verdict == "better"
    assert Difference(-0.2, -0.39, -0.01, 50, p=0.04).verdict == "worse"


def test_the_direction_decides_between_better_and_worse():
    assert Difference(0.2, 0.1, 0.3, 50, p=0.001, better="lower").verdict == "worse"
    assert Difference(-0.2, -0.3, -0.1, 50, p=0.001, better="lower").verdict == "better"


def test_false_wins_are_as_rare_as_the_level_says():
    generator = random.Random(5)
    wins = 0
    for _ in range(1000):
        a = {str(i): float(generator.random() < 0.7) for i in range(80)}
        b = {str(i): float(generator.random() < 0.7) for i in range(80)}
        wins += paired_difference(a, b).verdict != "same"
    assert wins / 1000 <= 0.065


def test_paired_difference_across_seeds_counts_the_spread_of_the_seeds():
    base = {str(i): 0.5 for i in range(50)}
    wide = [{str(i): 0.5 + shift + (0.1 if i % 2 else -0.1) for i in range(50)} for shift in (0.0, 0.1, 0.2)]
    tight = [{str(i): 0.6 + (0.1 if i % 2 else -0.1) for i in range(50)}] * 3
    assert paired_across_seeds(tight, [base]).verdict == "better"
    assert paired_across_seeds(wide, [base]).verdict == "same"
    assert paired_across_seeds(wide, [base]).value == pytest.approx(0.1)


def test_gaps_of_a_known_span_that_seldom_change_are_counted():
    a = {str(i): 0.5 for i in range(40)}
    found = paired_difference(a, a | {"3": 1.0}, span=(0.0, 1.0))
    assert found.value == pytest.approx(-0.5 / 40)
    assert found.low < -0.06 < 0.01 < found.high
    assert found.verdict == "same"


def test_identical_scores_are_too_few_below_thirty_items_and_the_same_above():
    scores = {str(i): i / 7 for i in range(30)}
    assert paired_difference(scores, scores).verdict == "same"
    fewer = {item: score for item, score in scores.items() if item != "3"}
    assert paired_difference(fewer, fewer).verdict == "too few"
