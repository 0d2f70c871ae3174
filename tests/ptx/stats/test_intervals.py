"""Intervals of one model: closed forms, edges, and coverage by simulation."""

import math
import random
from statistics import NormalDist, fmean, stdev

import pytest

from ptx.stats import (
    bootstrap,
    mean_interval,
    proportion,
    quantile_interval,
    unscored_bounds,
)


def test_proportion_is_wilsons_closed_form():
    z, p, n = NormalDist().inv_cdf(0.975), 0.3, 50
    # Wilson: the bounds are the roots x of (p - x)^2 = z^2 x (1 - x) / n
    for bound in proportion(15, n):
        assert (p - bound) ** 2 == pytest.approx(z**2 * bound * (1 - bound) / n)


def test_proportion_has_width_at_both_ends_and_stays_within_zero_and_one():
    low, high = proportion(0, 20)
    assert low == 0
    assert high == pytest.approx(0.1611, abs=1e-4)
    low, high = proportion(20, 20)
    assert high == 1
    assert low == pytest.approx(0.8389, abs=1e-4)


@pytest.mark.parametrize("p", [0.05, 0.5, 0.97])
def test_proportion_covers_as_often_as_it_says(covered, p):
    assert 0.93 <= covered(lambda g: proportion(sum(g.random() < p for _ in range(60)), 60), p) <= 0.985


@pytest.mark.parametrize(("successes", "n"), [(3, 0), (-1, 5), (6, 5)])
def test_proportion_refuses_impossible_counts(successes, n):
    with pytest.raises(ValueError, match="0 <= successes <= n"):
        proportion(successes, n)


def test_mean_interval_is_students_closed_form():
    values = [4.1, 5.0, 5.9, 6.2, 3.8]
    mean, low, high = mean_interval(values)
    half = 2.7764451 * stdev(values) / math.sqrt(5)
    assert (mean, low, high) == pytest.approx((5.0, 5.0 - half, 5.0 + half))


def test_mean_of_one_value_has_no_finite_interval():
    assert mean_interval([3.0]) == (3.0, -math.inf, math.inf)
    with pytest.raises(ValueError, match="at least one"):
        mean_interval([])


def test_mean_interval_covers_as_often_as_it_says_with_few_values(covered):
    assert covered(lambda g: mean_interval([g.gauss(7, 2) for _ in range(5)])[1:], 7) == pytest.approx(
        0.95, abs=0.02
    )


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
