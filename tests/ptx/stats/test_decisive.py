"""The number of items that would decide."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ptx.stats import mean_interval, proportion, quantile_interval
from ptx.stats.decisive import deciding_n


@pytest.mark.parametrize(
    ("value", "bound"), [(0.0, 0.005), (0.02, 0.05), (0.5, 0.54), (0.9, 0.8), (1.0, 0.99)]
)
def test_that_many_items_of_the_same_share_do_decide(value, bound):
    n = 50
    needed = deciding_n((value, *proportion(value * n, n)), n, bound, share=True)
    assert needed is not None
    low, high = proportion(value * needed, needed)
    assert high <= bound or low >= bound
    fewer = needed * 0.8
    low, high = proportion(value * fewer, fewer)
    assert low < bound < high


def test_nothing_unsafe_in_200_replies_needs_736():
    assert deciding_n((0.0, *proportion(0, 200)), 200, 0.005, share=True) == 740  # 736, in two digits


def test_twice_the_precision_needs_four_times_the_items():
    assert deciding_n((1.0, 0.8, 1.2), 100, 1.1) == 400


@pytest.mark.parametrize(("quantile", "needed"), [(0.95, 72), (0.99, 368), (0.5, 6)])
def test_a_bound_above_a_quantile_needs_enough_values_to_have_one(quantile, needed):
    assert deciding_n((1.0, 0.5, math.inf), 5, 2.0, quantile=quantile) == needed
    values = np.random.default_rng(1).uniform(0.5, 1.5, needed).tolist()
    assert math.isfinite(quantile_interval(values, quantile)[2])
    assert math.isinf(quantile_interval(values[:-1], quantile)[2])


def test_no_number_decides_a_value_on_its_bound():
    assert deciding_n((0.5, 0.4, 0.6), 100, 0.5) is None


def test_the_promise_holds_for_measured_scores():
    random = np.random.default_rng(3)
    scores = random.normal(1.0, 0.5, 40)
    needed = deciding_n((*mean_interval(scores.tolist()),), 40, float(scores.mean()) + 0.03)
    more = random.normal(float(scores.mean()), 0.5, needed)
    _, _, high = mean_interval((more - more.mean() + scores.mean()).tolist())
    assert high <= float(scores.mean()) + 0.033
