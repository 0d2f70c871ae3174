"""Holm's correction, and the power of a comparison."""

import math

import numpy as np
import pytest

from ptx.stats import (
    Difference,
    corrected,
    holm,
    items_needed,
    minimum_detectable_effect,
    paired_difference,
)


def test_holm_matches_the_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_keeps_order_and_never_exceeds_one():
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_corrected_takes_back_wins_that_many_comparisons_explain():
    lone = Difference(0.1, 0.01, 0.19, 100, p=0.03)
    assert lone.verdict == "better"
    assert [one.verdict for one in corrected([lone] * 12)] == ["same"] * 12
    sure = Difference(0.3, 0.2, 0.4, 100, p=1e-6)
    assert corrected([sure, lone])[0].verdict == "better"


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
