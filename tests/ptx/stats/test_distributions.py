"""Quantiles and tails, against published tables and scipy."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from ptx.stats import (
    quantile_interval,
    t_quantile,
    t_tail,
)
from ptx.stats.distributions import t_tails


def test_t_quantile_matches_tables():
    for freedom, expected in [
        (1, 12.7062047),
        (4, 2.7764451),
        (29, 2.0452296),
        (120, 1.9799304),
        (math.inf, 1.9599640),
    ]:
        assert t_quantile(0.975, freedom) == pytest.approx(expected, abs=1e-7)


def test_t_distribution_agrees_with_scipy():
    scipy_stats = pytest.importorskip(
        "scipy.stats", reason="scipy comes with lm-eval; without it the table above stands alone"
    )
    for freedom in (1, 1.5, 2, 5, 29.3, 299, 10_000):
        for level in (0.6, 0.9, 0.975, 0.9999):
            assert t_quantile(level, freedom) == pytest.approx(scipy_stats.t.ppf(level, freedom), rel=1e-8)
        for t in (0.0, 0.1, 1.0, 3.0, 20.0):
            assert t_tail(t, freedom) == pytest.approx(scipy_stats.t.sf(t, freedom), rel=1e-8)


@pytest.mark.parametrize("freedom", [0.3, 1, 4.7, 99.9, 100, 1e6])
@pytest.mark.parametrize("level", [0.5001, 0.75, 0.975, 0.99999])
def test_the_tail_beyond_a_quantile_is_what_the_level_leaves(level, freedom):
    assert t_tail(t_quantile(level, freedom), freedom) == pytest.approx(1 - level, rel=1e-10)


def test_many_tails_are_those_of_one_at_a_time():
    pairs = [
        (t, freedom)
        for t in (0.0, 1e-9, 0.3, 2.0, 40.0)
        for freedom in (1.0, 5.5, 99.0, 100.0, 1e6, math.inf)
    ]
    found = t_tails(*(np.array(side) for side in zip(*pairs, strict=True)))
    assert found.tolist() == pytest.approx([t_tail(*pair) for pair in pairs], rel=1e-12)


def test_quantile_interval_uses_the_ranks_of_the_binomial_table():
    # for the median of 20 values the 95 % ranks are 6 and 15 (David and Nagaraja, table of 7.1)
    assert quantile_interval([float(i) for i in range(1, 21)], 0.5) == (10.5, 6.0, 15.0)


def test_quantile_interval_covers_a_skewed_latency(covered):
    truth = math.exp(NormalDist().inv_cdf(0.9))
    assert (
        covered(lambda g: quantile_interval([g.lognormvariate(0, 1) for _ in range(60)], 0.9)[1:], truth)
        >= 0.94
    )


def test_quantile_interval_of_equal_values_is_that_value():
    assert quantile_interval([2.0] * 100, 0.5) == (2.0, 2.0, 2.0)
