"""Counted means: exact intervals, effective numbers of items, and coverage with clusters."""

import math

import numpy as np
import pytest

from ptx.stats import proportion, score_interval
from ptx.stats.counted import (
    clopper_pearson,
    clusters_holding_rarer,
    counted_interval,
    design_effect,
    effective_items,
    is_counted,
)


def test_right_or_wrong_by_itself_is_clopper_and_pearson():
    assert counted_interval([1.0] * 7 + [0.0] * 3) == proportion(7, 10)
    assert clopper_pearson(2.5, 10)[0] < 0.25 < clopper_pearson(2.5, 10)[1]


def test_scores_of_which_many_are_the_same_are_counted_if_their_span_is_known():
    assert is_counted([0.0, 1.0, 1.0], None)
    assert is_counted([0.0, 0.0, 0.0], (0.0, 1.0))
    assert not is_counted([0.0, 0.0, 0.0], None)
    ties = [0.5, 0.5, 1.0, 0.0]
    assert is_counted(ties, (0.0, 1.0))
    assert not is_counted(ties, None)
    assert not is_counted([*ties, 7.0], (0.0, 1.0))
    assert not is_counted([i / 10 for i in range(10)], (0.0, 1.0))


def test_ties_say_more_than_as_many_wins_and_losses():
    ties, decided = [0.5] * 30 + [1.0, 0.0] * 5, [1.0, 0.0] * 20
    assert effective_items(decided) == 40
    assert effective_items(ties) > 60
    low, high = counted_interval(ties)
    assert high - low < proportion(20, 40)[1] - proportion(20, 40)[0]


def test_the_span_only_moves_the_interval():
    scores = [0.0, 0.5, 0.5, 1.0, 0.5, 0.5]
    low, high = counted_interval(scores)
    moved = counted_interval([2 * score - 1 for score in scores], span=(-1.0, 1.0))
    assert moved == pytest.approx((2 * low - 1, 2 * high - 1))


def test_right_or_wrong_that_never_differs_counts_a_cluster_as_one_item():
    assert design_effect([1.0] * 12, [i % 4 for i in range(12)]) == (3.0, 3.0)


def test_one_cluster_counts_as_one_item():
    assert design_effect([1.0, 0.0, 1.0, 0.0], ["same"] * 4) == (4.0, 1.0)


def test_an_error_in_one_cluster_of_ten_does_not_prove_that_errors_are_independent():
    clusters = [i // 30 for i in range(300)]
    one = [0.0] + [1.0] * 299
    assert clusters_holding_rarer(one, clusters) == 1
    assert design_effect(one, clusters)[0] > 15  # of 30 at most
    spread = [float(i % 30 > 0) for i in range(300)]
    assert design_effect(spread, clusters)[0] < 4


def clustered(generator, count, sizes, rate, alike, kind):
    of = np.repeat(np.arange(count), generator.integers(*sizes, count, endpoint=True))
    if kind == "beta":
        strength = (1 - alike) / alike
        rates = generator.beta(rate * strength, (1 - rate) * strength, count)
    else:  # each item copies its cluster's outcome with the probability sqrt(alike)
        share = math.sqrt(alike)
        rates = share * (generator.random(count) < rate) + (1 - share) * rate
    right = generator.random(len(of)) < rates[of]
    return score_interval(right.astype(float).tolist(), clusters=of.tolist())[1:]


@pytest.mark.parametrize("kind", ["beta", "copies"])
@pytest.mark.parametrize("rate", [0.9, 0.97])
@pytest.mark.parametrize("sizes", [(5, 5), (30, 30)])
def test_clustered_rates_near_one_cover_as_often_as_they_say(kind, rate, sizes):
    generator = np.random.default_rng(3)
    held = [clustered(generator, 10, sizes, rate, 0.5, kind) for _ in range(250)]
    assert np.mean([low <= rate <= high for low, high in held]) >= 0.93


@pytest.mark.parametrize(("nothing", "full"), [(0.6, 0.25), (0.85, 0.05), (0.03, 0.9), (0.9, 0.0)])
@pytest.mark.parametrize("n", [5, 10, 30])
def test_scores_heavy_at_the_ends_cover_as_often_as_they_say(nothing, full, n):
    generator = np.random.default_rng(7)
    truth, covered = full + (1 - nothing - full) / 2, 0
    for _ in range(300):
        luck, between = generator.random(n), generator.random(n)
        scores = np.where(luck < nothing, 0.0, np.where(luck < nothing + full, 1.0, between))
        _, low, high = score_interval(scores.tolist(), span=(0.0, 1.0))
        covered += low <= truth <= high
    assert covered / 300 >= 0.925
