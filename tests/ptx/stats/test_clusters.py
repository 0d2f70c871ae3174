import math
from statistics import fmean

import numpy as np
import pytest

from ptx.stats import bootstrap, mean_interval, paired_difference, score_interval
from ptx.stats.clusters import variance_of_mean
from ptx.stats.counted import design_effect


def drawn(generator, clusters, alike, sizes=None):
    """Values and clusters of items in clusters of 1 to 14.

    The values have the variance 1, of which the share ``alike`` is common to a cluster.
    """
    sizes = generator.integers(1, 15, clusters) if sizes is None else sizes
    of = np.repeat(np.arange(clusters), sizes)
    return (
        generator.normal(0, math.sqrt(alike), clusters)[of]
        + generator.normal(0, math.sqrt(1 - alike), len(of)),
        of.tolist(),
    )


def covered(draw, truth, repeats=2000, seed=4):
    generator = np.random.default_rng(seed)
    found = (draw(generator) for _ in range(repeats))
    return sum(low <= truth <= high for low, high in found) / repeats


def test_clusters_of_one_size_give_students_interval_of_their_means():
    values, of = drawn(np.random.default_rng(0), 7, 0.5, sizes=np.full(7, 4))
    means = [fmean(values[4 * c : 4 * c + 4]) for c in range(7)]
    assert mean_interval(values.tolist(), clusters=of) == pytest.approx(mean_interval(means))


def test_clusters_of_one_item_change_nothing():
    values = [0.3, 1.2, 0.7, 2.0, -0.4, 0.9]
    assert mean_interval(values, clusters=list("abcdef")) == pytest.approx(mean_interval(values))
    assert design_effect(values, list("abcdef")) == (1.0, math.inf)


def test_degrees_of_freedom_are_bell_and_mccaffreys():
    """Written out with matrices: (tr M)² / tr(M²), M the covariance of the enlarged cluster sums."""
    sizes = np.array([1, 2, 9, 4, 4])
    of, n = np.repeat(np.arange(5), sizes), sizes.sum()
    project = np.eye(n) - np.full((n, n), 1 / n)
    sums = (np.arange(5)[:, None] == of) @ project / np.sqrt(1 - sizes / n)[:, None]
    found = []
    for inside in (np.eye(n), (of[:, None] == of).astype(float)):
        covariance = sums @ inside @ sums.T
        found.append(np.trace(covariance) ** 2 / np.trace(covariance @ covariance))
    values = np.random.default_rng(1).normal(size=n).tolist()
    assert variance_of_mean(values, of.tolist())[1] == pytest.approx(min(found))


def test_one_cluster_gives_an_infinite_interval():
    assert mean_interval([1.0, 2.0], clusters=["a", "a"]) == (1.5, -math.inf, math.inf)


def test_every_value_needs_its_cluster():
    with pytest.raises(ValueError, match="2 values and 1 clusters"):
        mean_interval([1.0, 2.0], clusters=["a"])


def test_one_cluster_counts_as_one_item():
    mean, low, high = score_interval([1.0, 0.0, 1.0, 0.0], clusters=["same"] * 4)
    assert mean == 0.5
    assert high - low > 0.8
    _, low, high = score_interval([1.0] * 12, clusters=[i % 4 for i in range(12)])
    assert high == 1.0
    assert low < score_interval([1.0] * 12)[1]


@pytest.mark.parametrize(("clusters", "alike"), [(12, 0.5), (20, 0.3), (20, 0.0), (40, 0.8)])
def test_clustered_mean_covers_as_often_as_it_says(clusters, alike):
    def draw(generator):
        values, of = drawn(generator, clusters, alike)
        return mean_interval(values.tolist(), clusters=of)[1:]

    assert 0.94 <= covered(draw, 0.0, 1000) <= 0.995


def test_ignoring_the_clusters_would_cover_far_less():
    assert covered(lambda g: mean_interval(drawn(g, 20, 0.3)[0].tolist())[1:], 0.0, 500) < 0.8


def test_clustered_rate_covers_as_often_as_it_says():
    def draw(generator):
        of = np.repeat(np.arange(25), generator.integers(1, 10, 25))
        rates = generator.beta(2.1, 0.9, 25)  # mean .7, a third of the variance common to a cluster
        right = generator.random(len(of)) < rates[of]
        return score_interval(right.astype(float).tolist(), clusters=of.tolist())[1:]

    assert 0.94 <= covered(draw, 0.7, 1000) <= 0.99


def pair(generator, clusters, make):
    of = np.repeat(np.arange(clusters), generator.integers(1, 10, clusters))
    a, b = make(generator, of)
    named = [{str(i): float(v) for i, v in enumerate(side)} for side in (a, b)]
    found = paired_difference(*named, clusters={str(i): int(c) for i, c in enumerate(of)})
    return found.low, found.high


def test_clustered_paired_difference_covers_as_often_as_it_says():
    def make(generator, of):
        hard = generator.normal(0, 5, len(of))
        return hard + generator.normal(0.5, 1, of.max() + 1)[of] + generator.normal(0, 1, len(of)), hard

    assert 0.94 <= covered(lambda g: pair(g, 15, make), 0.5, 1000) <= 0.99


def test_clustered_paired_difference_of_right_and_wrong_covers_as_often_as_it_says():
    def make(generator, of):
        topic, luck = generator.normal(0, 1, of.max() + 1)[of], generator.normal(0, 1, len(of))
        noise = generator.normal(0, 0.7, (2, len(of)))
        return topic + luck + noise[0] > -0.5, 0.3 * topic + luck + noise[1] > -0.5

    normal = lambda x: (1 + math.erf(x / math.sqrt(2))) / 2
    truth = normal(0.5 / math.sqrt(2.49)) - normal(0.5 / math.sqrt(1.58))
    assert 0.94 <= covered(lambda g: pair(g, 40, make), truth, 1000) <= 0.99


def test_bootstrap_by_cluster_covers_as_often_as_it_says():
    def draw(generator):
        values, of = drawn(generator, 30, 0.5)
        return bootstrap(values.tolist(), fmean, int(generator.integers(10**6)), 200, clusters=of)[1:]

    assert covered(draw, 0.0, 600) == pytest.approx(0.95, abs=0.03)


def test_weights_make_it_a_ratio_of_sums():
    nats, size = [3.0, 8.0, 1.0, 2.0, 6.0, 1.0], [10.0, 20.0, 5.0, 5.0, 20.0, 10.0]
    mean, low, high = mean_interval([a / b for a, b in zip(nats, size, strict=True)], weights=size)
    assert mean == pytest.approx(21 / 70)
    assert low < mean < high
    few = [0.1, 0.4, 0.2, 0.3, 0.9, 0.5]
    assert mean_interval(few, weights=[7.0] * 6) == pytest.approx(mean_interval(few))


def test_a_weighted_mean_covers_as_often_as_it_says():
    def draw(generator):
        size = generator.lognormal(5, 0.7, 60)
        nats = size * (0.7 + generator.normal(0, 0.1, 60))
        return mean_interval((nats / size).tolist(), weights=size.tolist())[1:]

    assert covered(draw, 0.7) == pytest.approx(0.95, abs=0.02)


def test_a_weighted_paired_difference_is_that_of_the_two_ratios():
    size = {"x": 10.0, "y": 30.0, "z": 20.0}
    a, b = {"x": 1.0, "y": 2.0, "z": 4.0}, {"x": 0.5, "y": 2.5, "z": 3.0}
    found = paired_difference(a, b, weights=size)
    assert found.value == pytest.approx((10 + 60 + 80) / 60 - (5 + 75 + 60) / 60)
    assert found.n == 3
