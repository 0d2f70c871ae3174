"""Few and skewed scores: the intervals of their means, and of paired gaps, cover as often as they say."""

import math

import numpy as np
import pytest

from ptx.stats import FEWEST, mean_interval, paired_difference
from ptx.stats.skewness import FEWEST_EQUAL, MANY, UNKNOWN, mean_error, skewness, stretch_of

DRAWS = {
    "lognormal": (lambda g, n: g.lognormal(0, 1, n), math.exp(0.5)),
    "exponential": (lambda g, n: g.exponential(1, n), 1.0),
    "half are zero": (lambda g, n: g.exponential(1, n) * (g.random(n) < 0.5), 0.5),
    "most are zero": (lambda g, n: 3.3 * g.exponential(1, n) * (g.random(n) < 0.2), 0.66),
    "normal": (lambda g, n: g.normal(7, 1, n), 7.0),
}


def test_skewness_is_fishers():
    scipy_stats = pytest.importorskip("scipy.stats", reason="scipy comes with lm-eval")
    values = np.random.default_rng(0).exponential(1, 12)
    residuals = (values - values.mean()).tolist()
    assert skewness(residuals) == pytest.approx(scipy_stats.skew(values, bias=False))
    assert skewness([0.0, 0.0, 0.0]) == 0.0


def test_many_even_values_need_no_stretch():
    even = [float(i) - 49.5 for i in range(100)]
    assert stretch_of(even, 99.0) == pytest.approx((1.0, 1.0), abs=0.02)


def test_the_interval_is_stretched_towards_the_tail():
    tail = [-1.0] * 40 + [20.0] * 2
    below, above = stretch_of(tail, 41.0)
    assert below == 1.0
    assert above > 1.3


def test_few_values_are_stretched_on_both_sides():
    below, above = stretch_of([-1.0, 1.0] * 4, 7.0)
    assert below == above == 1 + (MANY - 8) / (2 * MANY)


def test_too_few_values_or_clusters_have_no_error():
    values = [float(i) for i in range(FEWEST - 1)]
    assert mean_error(values) is UNKNOWN
    assert mean_error(values * 4, clusters=values * 4) is UNKNOWN
    assert mean_error([1.0] * (FEWEST_EQUAL - 1)) is UNKNOWN
    assert mean_error([1.0] * FEWEST_EQUAL).variance == 0


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("n", [6, 10, 20, 30])
def test_means_of_few_skewed_scores_cover_as_often_as_they_say(name, n):
    draw, truth = DRAWS[name]
    generator, held = np.random.default_rng(11), 0
    for _ in range(800):
        _, low, high = mean_interval(draw(generator, n).tolist())
        held += low <= truth <= high
    assert held / 800 >= 0.92


@pytest.mark.parametrize("name", ["lognormal", "exponential", "half are zero", "most are zero"])
@pytest.mark.parametrize("n", [5, 8, 15, 30])
def test_skewed_gaps_without_a_difference_seldom_get_a_verdict(name, n):
    draw, mean = DRAWS[name]
    generator, claims = np.random.default_rng(5), 0
    for _ in range(500):
        gaps = draw(generator, n) - mean
        found = paired_difference(
            {str(i): gap for i, gap in enumerate(gaps)}, {str(i): 0.0 for i in range(n)}
        )
        claims += found.verdict in ("better", "worse")
    assert claims / 500 <= 0.075
