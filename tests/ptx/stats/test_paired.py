import math

import numpy as np
import pytest

from ptx.errors import PtxError
from ptx.stats import (
    Difference,
    items_needed,
    join,
    mcnemar,
    minimum_detectable_effect,
    paired_difference,
    unscored_bounds,
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


def test_bounds_of_unscored_items_are_the_worst_and_the_best_case():
    assert unscored_bounds(0.75, 8, 2) == (0.6, 0.8)
    assert unscored_bounds(math.nan, 0, 5) == (0.0, 1.0)
    assert unscored_bounds(7.0, 3, 1, 1.0, 10.0) == (5.5, 7.75)


def test_tied_means_that_the_interval_holds_zero():
    assert Difference(0.1, -0.1, 0.3, 20, 0.3).tied
    assert not Difference(0.1, 0.05, 0.15, 20, 0.001).tied
    assert Difference(math.nan, -math.inf, math.inf, 0).tied


@pytest.mark.parametrize("n", [10, 25, 400])
def test_the_minimum_detectable_effect_is_found_as_often_as_it_says(n):
    scipy_stats = pytest.importorskip("scipy.stats", reason="scipy comes with lm-eval")
    effect = minimum_detectable_effect(1 / math.sqrt(n), n - 1.0)
    beyond = scipy_stats.t.ppf(0.975, n - 1)
    assert scipy_stats.nct.sf(beyond, n - 1, effect * math.sqrt(n)) == pytest.approx(0.8, abs=0.003)
    assert items_needed(effect, 1.0) == n


def test_the_error_of_a_difference_gives_what_it_could_have_seen():
    generator = np.random.default_rng(2)
    gaps = generator.normal(0, 1, 50)
    found = paired_difference({str(i): g for i, g in enumerate(gaps)}, {str(i): 0.0 for i in range(50)})
    assert found.error == pytest.approx(gaps.std(ddof=1) / math.sqrt(50))
    assert minimum_detectable_effect(found.error, found.freedom) > found.high - found.value


def test_impossible_plans_are_refused():
    with pytest.raises(ValueError, match=r"between 0\.5 and 1"):
        minimum_detectable_effect(0.1, power=0.2)
    with pytest.raises(ValueError, match="effect > 0"):
        items_needed(0.0, 1.0)
