"""Intervals of one model: closed forms, edges, and coverage by simulation."""

import math
import random
from statistics import fmean, stdev

import pytest

from ptx.stats import (
    bootstrap,
    mean_interval,
    proportion,
    quantile_interval,
    score_interval,
    unscored_bounds,
)
from ptx.stats.distributions import binomial_tail, log_binomial


@pytest.mark.parametrize(("successes", "n"), [(15, 50), (0, 20), (20, 20), (1, 1), (299, 300)])
def test_proportion_is_clopper_and_pearsons(successes, n):
    """Each bound is the rate at which a count this extreme has a probability of 2.5 %."""
    low, high = proportion(successes, n)
    assert (low, high) == (low if successes else 0.0, high if successes < n else 1.0)
    if successes:
        assert 1 - binomial_tail(successes - 1, n, low) == pytest.approx(0.025, rel=1e-6)
    if successes < n:
        assert binomial_tail(successes, n, high) == pytest.approx(0.025, rel=1e-6)


@pytest.mark.parametrize("n", [1, 2, 5, 10, 30, 100])
def test_proportion_covers_every_rate_at_least_as_often_as_it_says(n):
    """Exactly, by summing over the counts whose interval holds the rate."""
    held = [proportion(count, n) for count in range(n + 1)]
    for rate in [0.001, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99, 0.999]:
        inside = [count for count, (low, high) in enumerate(held) if low <= rate <= high]
        assert math.fsum(math.exp(log_binomial(count, n, rate)) for count in inside) >= 0.95


@pytest.mark.parametrize(("successes", "n"), [(3, 0), (-1, 5), (6, 5)])
def test_proportion_refuses_impossible_counts(successes, n):
    with pytest.raises(ValueError, match="0 <= successes <= n"):
        proportion(successes, n)


def test_mean_interval_of_many_even_values_is_students():
    values = [math.sin(i) for i in range(44)]
    mean, low, high = mean_interval(values)
    half = 2.0166922 * stdev(values) / math.sqrt(44)
    assert (low, high) == pytest.approx((mean - half, mean + half), rel=0.01)


def test_mean_of_fewer_than_six_values_has_no_finite_interval():
    assert mean_interval([3.0]) == (3.0, -math.inf, math.inf)
    assert mean_interval([1.0, 2.0, 3.0, 4.0, 5.0]) == (3.0, -math.inf, math.inf)
    assert math.isfinite(mean_interval([1.0, 2.0, 3.0, 4.0, 5.0, 3.0])[1])
    with pytest.raises(ValueError, match="at least one"):
        mean_interval([])


def test_equal_values_have_no_finite_interval_below_thirty():
    assert mean_interval([7.0] * 29) == (7.0, -math.inf, math.inf)
    assert mean_interval([7.0] * 30) == (7.0, 7.0, 7.0)


def test_scores_are_cut_to_a_span_only_where_it_is_known():
    values = [0.02, 0.9, 0.97, 0.93, 0.99, 0.95, 0.98, 0.96]
    assert score_interval(values)[2] > 1
    assert score_interval(values, span=(0.0, 1.0))[2] == 1.0


def test_a_p95_has_an_upper_bound_only_from_72_values_on():
    assert quantile_interval([float(i) for i in range(71)], 0.95)[2] == math.inf
    assert quantile_interval([float(i) for i in range(72)], 0.95)[2] == 71.0


def test_bootstrap_of_a_mean_agrees_with_the_closed_form():
    generator = random.Random(0)
    values = [generator.gauss(0, 1) for _ in range(400)]
    value, low, high = bootstrap(values, fmean, seed=3, repeats=2000)
    _, t_low, t_high = mean_interval(values)
    assert value == fmean(values)
    assert high - low == pytest.approx(t_high - t_low, rel=0.06)


def test_bootstrap_is_the_same_for_the_same_seed_only():
    values = [float(i) ** 1.5 for i in range(40)]
    assert bootstrap(values, fmean, seed=1) == bootstrap(values, fmean, seed=1)
    assert bootstrap(values, fmean, seed=1) != bootstrap(values, fmean, seed=2)


def test_bootstrap_resamples_groups_whole():
    groups = [[float(i)] * 10 for i in (0, 1)] * 10
    flat = [value for group in groups for value in group]
    _, low, high = bootstrap(groups, lambda drawn: fmean(value for group in drawn for value in group), seed=0)
    _, flat_low, flat_high = bootstrap(flat, fmean, seed=0)
    assert high - low > 2 * (flat_high - flat_low)


def test_bootstrap_covers_about_as_often_as_it_says(covered):
    def draw(generator):
        return bootstrap(
            [generator.expovariate(1) for _ in range(80)], fmean, seed=generator.randrange(10**6), repeats=200
        )[1:]

    assert 0.90 <= covered(draw, 1.0, repeats=400) <= 0.97


def test_bounds_of_unscored_items_are_the_worst_and_the_best_case():
    assert unscored_bounds(0.75, 8, 2) == (0.6, 0.8)
    assert unscored_bounds(math.nan, 0, 5) == (0.0, 1.0)
    assert unscored_bounds(7.0, 3, 1, 1.0, 10.0) == (5.5, 7.75)


def test_bootstrap_by_cluster_resamples_groups_whole():
    values = [float(c) for c in range(8) for _ in range(5)]
    of = [c for c in range(8) for _ in range(5)]
    seen = []
    bootstrap(values, lambda items: seen.append(items) or fmean(items), 0, 20, clusters=of)
    assert all(items.count(value) % 5 == 0 for items in seen for value in set(items))
