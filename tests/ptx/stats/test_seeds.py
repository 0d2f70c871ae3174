"""One metric from several seeds: the interval covers both the seeds and the items."""

import math

import pytest

from ptx.records import Metric
from ptx.stats import (
    across_seeds,
)


def metric(value, low, high, n=300, unit="fraction"):
    return Metric("bench/mean", value, unit, "higher", low, high, n)


def test_one_seed_is_the_metric_itself():
    assert across_seeds([metric(0.7, 0.65, 0.75)]) == metric(0.7, 0.65, 0.75)


def test_equal_seeds_do_not_shrink_the_interval_of_the_items():
    found = across_seeds([metric(0.7, 0.65, 0.75)] * 4)
    assert (found.low, found.high) == pytest.approx((0.65, 0.75), abs=1e-9)
    assert found.n == 300


def test_exact_metrics_get_the_t_interval_over_seeds():
    found = across_seeds([Metric("m", v, "s", "lower", v, v, 1) for v in (1.0, 2.0, 3.0)])
    assert (found.value, found.low, found.high) == pytest.approx(
        (2.0, max(0.0, 2 - 4.3026527 / math.sqrt(3)), 2 + 4.3026527 / math.sqrt(3))
    )


def test_a_fraction_stays_within_zero_and_one_across_seeds():
    found = across_seeds([metric(0.99, 0.97, 1.0), metric(0.95, 0.92, 0.98)])
    assert found.high <= 1


def test_a_seed_without_a_value_leaves_the_mean_without_one():
    assert math.isnan(across_seeds([metric(0.7, 0.65, 0.75), metric(math.nan, math.nan, math.nan)]).value)


def test_across_seeds_covers_when_seeds_and_items_both_vary(covered):
    def draw(generator):
        items = generator.gauss(0, 0.03)  # the luck of the test set, shared by all seeds
        values = [0.5 + items + generator.gauss(0, 0.02) for _ in range(3)]
        found = across_seeds([metric(v, v - 1.96 * 0.03, v + 1.96 * 0.03) for v in values])
        return found.low, found.high

    assert covered(draw, 0.5) >= 0.94
