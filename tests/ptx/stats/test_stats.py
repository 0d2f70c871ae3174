import math
import random
from statistics import NormalDist, fmean, stdev

import pytest

from ptx.records import Metric
from ptx.stats import (
    Difference,
    across_seeds,
    bootstrap,
    corrected,
    holm,
    mean_interval,
    paired_across_seeds,
    paired_difference,
    proportion,
    quantile_interval,
    t_quantile,
    t_tail,
    unpaired_difference,
)


def covered(draw, truth, repeats=1500, seed=1):
    """Share of simulated intervals that hold the truth; its own standard error is about 0.006."""
    generator = random.Random(seed)
    hits = sum(low <= truth <= high for low, high in (draw(generator) for _ in range(repeats)))
    return hits / repeats


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
def test_proportion_covers_as_often_as_it_says(p):
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


def test_mean_interval_covers_as_often_as_it_says_with_few_values():
    assert covered(lambda g: mean_interval([g.gauss(7, 2) for _ in range(5)])[1:], 7) == pytest.approx(
        0.95, abs=0.02
    )


def test_quantile_interval_uses_the_ranks_of_the_binomial_table():
    # for the median of 20 values the 95 % ranks are 6 and 15 (David and Nagaraja, table of 7.1)
    assert quantile_interval([float(i) for i in range(1, 21)], 0.5) == (10.5, 6.0, 15.0)


def test_a_p95_has_an_upper_bound_only_from_72_values_on():
    assert quantile_interval([float(i) for i in range(71)], 0.95)[2] == math.inf
    assert quantile_interval([float(i) for i in range(72)], 0.95)[2] == 71.0


def test_quantile_interval_covers_a_skewed_latency():
    truth = math.exp(NormalDist().inv_cdf(0.9))
    assert (
        covered(lambda g: quantile_interval([g.lognormvariate(0, 1) for _ in range(60)], 0.9)[1:], truth)
        >= 0.94
    )


def test_quantile_interval_of_equal_values_is_that_value():
    assert quantile_interval([2.0] * 100, 0.5) == (2.0, 2.0, 2.0)


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


def test_bootstrap_covers_about_as_often_as_it_says():
    def draw(generator):
        return bootstrap(
            [generator.expovariate(1) for _ in range(80)], fmean, seed=generator.randrange(10**6), repeats=200
        )[1:]

    assert 0.90 <= covered(draw, 1.0, repeats=400) <= 0.97


def test_paired_difference_of_real_scores_is_the_paired_t_interval():
    a, b = {"x": 3.0, "y": 5.0, "z": 4.0}, {"x": 2.0, "y": 3.5, "z": 3.5}
    found = paired_difference(a, b)
    half = 4.3026527 * stdev([1.0, 1.5, 0.5]) / math.sqrt(3)
    assert (found.value, found.low, found.high, found.n) == pytest.approx((1.0, 1.0 - half, 1.0 + half, 3))
    assert found.p == pytest.approx(2 * t_tail(1.0 / (stdev([1.0, 1.5, 0.5]) / math.sqrt(3)), 2))


def test_paired_difference_of_right_and_wrong_is_bonett_and_prices():
    # 10 items won, 4 lost, 86 unchanged
    pairs = [(1.0, 0.0)] * 10 + [(0.0, 1.0)] * 4 + [(1.0, 1.0)] * 86
    found = paired_difference(
        {str(i): a for i, (a, _) in enumerate(pairs)}, {str(i): b for i, (_, b) in enumerate(pairs)}
    )
    won, lost = 11 / 102, 5 / 102
    half = 1.9599640 * math.sqrt((won + lost - (won - lost) ** 2) / 102)
    assert found.value == pytest.approx(0.06)
    assert (found.low, found.high) == pytest.approx((won - lost - half, won - lost + half))


def test_equal_outcomes_on_a_few_items_do_not_prove_equality():
    scores = {str(i): 1.0 for i in range(5)}
    found = paired_difference(scores, scores)
    assert found.value == 0
    assert found.low < -0.2
    assert found.high > 0.2


@pytest.mark.parametrize(("n", "p_a", "p_b"), [(40, 0.6, 0.6), (100, 0.9, 0.7), (60, 0.97, 0.95)])
def test_paired_binary_difference_covers_as_often_as_it_says(n, p_a, p_b):
    def draw(generator):
        luck = [(generator.random(), generator.random()) for _ in range(n)]
        # half of the items share their difficulty between the models
        a = {str(i): float(u < p_a) for i, (u, _) in enumerate(luck)}
        b = {str(i): float((u if i % 2 else v) < p_b) for i, (u, v) in enumerate(luck)}
        found = paired_difference(a, b)
        return found.low, found.high

    # near the ends the added items make it too wide, as the paper says; never too narrow
    assert covered(draw, p_a - p_b) >= 0.94


def test_paired_real_difference_covers_as_often_as_it_says():
    def draw(generator):
        base = [generator.gauss(0, 5) for _ in range(12)]
        a = {str(i): x + generator.gauss(0.5, 1) for i, x in enumerate(base)}
        found = paired_difference(a, {str(i): x for i, x in enumerate(base)})
        return found.low, found.high

    assert covered(draw, 0.5) == pytest.approx(0.95, abs=0.02)


def test_a_few_equal_gaps_prove_nothing():
    def shifted(n):
        return paired_difference({str(i): i + 0.5 for i in range(n)}, {str(i): float(i) for i in range(n)})

    assert [shifted(n).verdict for n in (1, 2, 5, 6)] == ["same", "same", "same", "better"]
    assert shifted(5).low == -math.inf


def test_unscored_items_are_left_out_of_the_pair():
    found = paired_difference({"x": 1.0, "y": math.nan, "z": 0.5}, {"x": 0.5, "y": 1.0, "z": math.nan})
    assert (found.n, found.value, found.verdict) == (1, 0.5, "same")


def test_nothing_scored_is_no_verdict():
    found = paired_difference({"x": 1.0, "y": math.nan}, {"x": math.nan, "y": 1.0})
    assert (found.n, found.unscored, found.verdict) == (0, 2, "same")
    assert math.isnan(found.value)


def test_a_difference_whose_interval_holds_zero_is_never_a_win():
    assert Difference(0.2, -0.01, 0.41, 50, p=0.06).verdict == "same"
    assert Difference(0.2, 0.0, 0.4, 50, p=0.05).verdict == "same"
    assert Difference(0.2, 0.01, 0.39, 50, p=0.04).verdict == "better"
    assert Difference(-0.2, -0.39, -0.01, 50, p=0.04).verdict == "worse"


def test_the_direction_decides_between_better_and_worse():
    assert Difference(0.2, 0.1, 0.3, 50, p=0.001, better="lower").verdict == "worse"
    assert Difference(-0.2, -0.3, -0.1, 50, p=0.001, better="lower").verdict == "better"


def test_false_wins_are_as_rare_as_the_level_says():
    generator = random.Random(5)
    wins = 0
    for _ in range(1000):
        a = {str(i): float(generator.random() < 0.7) for i in range(80)}
        b = {str(i): float(generator.random() < 0.7) for i in range(80)}
        wins += paired_difference(a, b).verdict != "same"
    assert wins / 1000 <= 0.065


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


def test_across_seeds_covers_when_seeds_and_items_both_vary():
    def draw(generator):
        items = generator.gauss(0, 0.03)  # the luck of the test set, shared by all seeds
        values = [0.5 + items + generator.gauss(0, 0.02) for _ in range(3)]
        found = across_seeds([metric(v, v - 1.96 * 0.03, v + 1.96 * 0.03) for v in values])
        return found.low, found.high

    assert covered(draw, 0.5) >= 0.94


def test_paired_difference_across_seeds_counts_the_spread_of_the_seeds():
    base = {str(i): 0.5 for i in range(50)}
    wide = [{str(i): 0.5 + shift + (0.1 if i % 2 else -0.1) for i in range(50)} for shift in (0.0, 0.1, 0.2)]
    tight = [{str(i): 0.6 + (0.1 if i % 2 else -0.1) for i in range(50)}] * 3
    assert paired_across_seeds(tight, [base]).verdict == "better"
    assert paired_across_seeds(wide, [base]).verdict == "same"
    assert paired_across_seeds(wide, [base]).value == pytest.approx(0.1)


def test_unpaired_difference_adds_the_variances_of_both():
    a, b = Metric("m", 2.0, "s", "lower", 1.9, 2.1, 10**9), Metric("m", 1.0, "s", "lower", 0.8, 1.2, 10**9)
    found = unpaired_difference(a, b)
    half = math.hypot(0.1, 0.2)
    assert (found.value, found.low, found.high) == pytest.approx((1.0, 1.0 - half, 1.0 + half), rel=1e-6)
    assert found.verdict == "worse"


def test_a_value_without_a_finite_interval_beats_nothing():
    a, b = (
        Metric("m", 2.0, "s", "higher", -math.inf, math.inf, 1),
        Metric("m", 1.0, "s", "higher", 0.9, 1.1, 50),
    )
    assert unpaired_difference(a, b).verdict == "same"


def test_exact_values_differ_or_they_do_not():
    small, large = (
        Metric("m", 1.0, "bytes", "lower", 1.0, 1.0, 1),
        Metric("m", 2.0, "bytes", "lower", 2.0, 2.0, 1),
    )
    assert [unpaired_difference(small, other).verdict for other in (large, small)] == ["better", "same"]


def test_unpaired_difference_covers_as_often_as_it_says():
    def measured(generator, mean, n):
        value, low, high = mean_interval([generator.gauss(mean, 1) for _ in range(n)])
        return Metric("m", value, "s", "higher", low, high, n)

    def draw(generator):
        found = unpaired_difference(measured(generator, 1, 8), measured(generator, 0, 20))
        return found.low, found.high

    assert covered(draw, 1.0) == pytest.approx(0.95, abs=0.02)


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
