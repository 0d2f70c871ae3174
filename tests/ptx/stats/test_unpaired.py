"""Differences from two intervals: closed forms, coverage, and many at once as one by one."""

import math
import random
from dataclasses import replace

import pytest

from ptx.records import Metric
from ptx.stats import mean_interval, proportion, unpaired_difference
from ptx.stats.unpaired import FEW, unpaired_differences

NUMBERS = ("value", "low", "high", "p", "error")


def any_metric(generator):
    """A metric with an interval of any kind: of both sides, of one, of none, exact; of few items or many."""
    value = generator.choice((0.0, 1.0, generator.gauss(0, 1), 1e9 * generator.random()))
    below, above = (generator.choice((0.0, generator.random(), 1e-12, math.inf)) for _ in range(2))
    n = generator.choice((0, 1, 2, 9, 100, 101, 10**6))
    return Metric("m", value, "s", generator.choice(("higher", "lower")), value - below, value + above, n)


def test_many_differences_are_those_of_one_at_a_time():
    generator = random.Random(3)
    pairs = [(any_metric(generator), any_metric(generator)) for _ in range(2000)]
    for found, pair in zip(unpaired_differences(pairs), pairs, strict=True):
        wanted = unpaired_difference(*pair)
        same = replace(found, **{name: getattr(wanted, name) for name in NUMBERS})
        assert same == wanted
        for name in NUMBERS:
            assert getattr(found, name) == pytest.approx(getattr(wanted, name), rel=1e-12), (name, pair)
        assert found.verdict == wanted.verdict
    assert unpaired_differences(pairs[:FEW]) == [unpaired_difference(*pair) for pair in pairs[:FEW]]


def test_unpaired_difference_adds_the_variances_of_both():
    a, b = Metric("m", 2.0, "s", "lower", 1.9, 2.1, 10**9), Metric("m", 1.0, "s", "lower", 0.8, 1.2, 10**9)
    found = unpaired_difference(a, b)
    half = math.hypot(0.1, 0.2)
    assert (found.value, found.low, found.high) == pytest.approx((1.0, 1.0 - half, 1.0 + half), rel=1e-6)
    assert found.verdict == "worse"


def test_a_value_without_a_finite_interval_is_too_little_to_say():
    a, b = (
        Metric("m", 2.0, "s", "higher", -math.inf, math.inf, 1),
        Metric("m", 1.0, "s", "higher", 0.9, 1.1, 50),
    )
    assert unpaired_difference(a, b).verdict == "too few"


def test_exact_values_differ_or_they_do_not():
    small, large = (
        Metric("m", 1.0, "bytes", "lower", 1.0, 1.0, 1),
        Metric("m", 2.0, "bytes", "lower", 2.0, 2.0, 1),
    )
    assert [unpaired_difference(small, other).verdict for other in (large, small)] == ["better", "same"]


def test_unpaired_difference_covers_as_often_as_it_says(covered):
    def measured(generator, mean, n):
        value, low, high = mean_interval([generator.gauss(mean, 1) for _ in range(n)])
        return Metric("m", value, "s", "higher", low, high, n)

    def draw(generator):
        found = unpaired_difference(measured(generator, 1, 12), measured(generator, 0, 20))
        return found.low, found.high

    assert 0.94 <= covered(draw, 1.0) <= 0.995


def test_two_rates_of_one_item_each_are_no_difference():
    right, wrong = (Metric("m", v, "fraction", "higher", *proportion(v, 1), 1) for v in (1, 0))
    found = unpaired_difference(right, wrong)
    assert found.low < 0 < found.high
    assert found.verdict == "too few"
