import math
import time
from random import Random

import pytest

from benchmarks.coverage import dominated
from ptx.stats.distributions import t_quantile
from ptx.stats.pareto import Place, Value, front, near, places, standings

QUALITY_LATENCY = ["higher", "lower"]


def test_front_keeps_what_nothing_beats_on_every_objective():
    assert front([[0.9, 20.0], [0.7, 10.0], [0.6, 15.0], [0.9, 25.0]], QUALITY_LATENCY) == [0, 1]


def test_directions_decide_what_better_means():
    points = [[1.0, 1.0], [2.0, 2.0]]
    assert front(points, ["higher", "higher"]) == [1]
    assert front(points, ["lower", "lower"]) == [0]
    assert front(points, ["higher", "lower"]) == [0, 1]


@pytest.mark.parametrize("missing", [None, math.nan, Value(math.nan, math.nan, math.nan)])
def test_a_missing_latency_is_never_on_the_front_and_dominates_nothing(missing):
    points = [[0.99, missing], [0.5, 10.0]]
    assert standings(points, QUALITY_LATENCY) == ["missing", "front"]


def test_a_missing_value_is_off_the_front_even_when_all_miss_it():
    assert front([[0.99, None], [0.5, None]], QUALITY_LATENCY) == []


def test_ties_are_all_kept():
    assert front([[0.9, 10.0], [0.9, 10.0], [0.8, 10.0]], QUALITY_LATENCY) == [0, 1]


def test_a_point_beaten_by_less_than_the_noise_is_near_the_front():
    points = [
        [Value(0.71, 0.68, 0.74), 10.0],
        [Value(0.70, 0.67, 0.73), 10.0],
        [Value(0.60, 0.57, 0.63), 10.0],
    ]
    assert standings(points, QUALITY_LATENCY) == ["front", "near", "dominated"]
    assert near(points, QUALITY_LATENCY) == [1]


def test_the_worst_of_many_equal_models_is_seldom_called_dominated():
    assert dominated(12, 1, 300) <= 0.08
    assert dominated(12, 2, 300) <= 0.08


def test_a_value_without_an_interval_is_beyond_no_noise():
    points = [[Value(0.9, 0.88, 0.92), 10.0], [Value(0.2, -math.inf, math.inf), 10.0]]
    assert standings(points, QUALITY_LATENCY) == ["front", "near"]


def test_exact_values_leave_no_room_for_noise():
    assert standings([[0.9, 10.0], [0.9, 10.001]], QUALITY_LATENCY) == ["front", "dominated"]


def test_front_agrees_with_the_definition_on_three_objectives():
    points = [[float(a), float(b), float(c)] for a in range(4) for b in range(4) for c in range(4)]
    assert front(points, ["higher", "higher", "higher"]) == [63]
    assert len(front([point for point in points if sum(point) == 5], ["lower"] * 3)) == sum(
        sum(point) == 5 for point in points
    )


def test_no_points_have_no_front():
    assert front([], QUALITY_LATENCY) == []


def test_a_point_with_too_few_objectives_is_named():
    with pytest.raises(ValueError, match="1 objectives, but 2 directions"):
        front([[1.0]], QUALITY_LATENCY)


def test_a_rival_that_is_measurably_worse_on_one_objective_does_not_dominate():
    small_but_bad = [Value(0.60, 0.58, 0.62), 2.0]
    large = [Value(0.71, 0.69, 0.73), 10.0]
    assert standings([large, small_but_bad], QUALITY_LATENCY) == ["front", "front"]


def test_a_rival_that_is_clearly_smaller_and_not_measurably_worse_dominates():
    found = places([[Value(0.71, 0.68, 0.74), 10.0], [Value(0.70, 0.67, 0.73), 2.0]], QUALITY_LATENCY)
    assert found == [Place("dominated", 1), Place("front")]


def test_evidence_by_item_that_the_rival_is_worse_keeps_a_point():
    points = [[Value(0.71, 0.68, 0.74), 10.0], [Value(0.70, 0.67, 0.73), 2.0]]
    found = places(points, QUALITY_LATENCY, worse=lambda rival, point: (rival, point) == (1, 0))
    assert [one.standing for one in found] == ["front", "front"]


def test_a_negligible_difference_of_exact_values_dominates_nothing():
    points = [[0.9, 10_000.0], [0.9, 10_001.0]]
    assert standings(points, QUALITY_LATENCY) == ["front", "dominated"]
    found = places(points, QUALITY_LATENCY, negligible=0.005)
    assert [one.standing for one in found] == ["front", "near"]


def plainly(points, families):
    """The definition, word by word, for objectives of which more is better."""
    noisy = sum(any(p[k].low < p[k].high for p in points) for k in range(len(points[0])))
    tests = max(1, families * noisy * len(points) * (len(points) - 1) // 2)

    def stretch(n):
        freedom = n - 1 if n > 1 else math.inf
        return t_quantile(1 - 0.05 / (2 * tests), freedom) / t_quantile(0.975, freedom)

    def better(a, b):
        noise = math.hypot(a.value - a.low, b.high - b.value)
        return a.value - b.value > max(stretch(a.n), stretch(b.n)) * noise

    def not_worse(a, b):
        noise = math.hypot(a.high - a.value, b.value - b.low)
        return math.isfinite(noise) and b.value - a.value <= noise

    def dominates(a, b):
        pairs = list(zip(a, b, strict=True))
        known = all(math.isfinite(math.hypot(x.value - x.low, y.high - y.value)) for x, y in pairs)
        return known and all(not_worse(*pair) for pair in pairs) and any(better(*pair) for pair in pairs)

    return [
        {i for i, rival in enumerate(points) if rival is not point and dominates(rival, point)}
        for point in points
    ]


def drawn(random):
    """Up to twelve points with two or three objectives; exact, without interval, or asymmetric."""
    kinds = [random.choice(["noisy", "exact", "wide"]) for _ in range(random.choice([2, 3]))]

    def value(kind):
        found = random.choice([random.gauss(0, 1), round(random.gauss(0, 2))])
        if kind == "exact":
            return Value.exact(found)
        if kind == "wide" and random.random() < 0.2:
            return Value(found, -math.inf, math.inf, 3)
        below, above = random.uniform(0.05, 0.8), random.uniform(0.05, 0.8)
        return Value(found, found - below, found + above, random.choice([0, 8, 30, 300]))

    return [[value(kind) for kind in kinds] for _ in range(random.randint(1, 12))]


def test_a_thousand_random_sweeps_agree_with_the_definition():
    random = Random(1)
    for _ in range(1000):
        points, families = drawn(random), random.choice([1, 2])
        found = places(points, ["higher"] * len(points[0]), families=families)
        expected = plainly(points, families)
        assert [one.standing == "dominated" for one in found] == [bool(rivals) for rivals in expected]
        free = {i for i, rivals in enumerate(expected) if not rivals}
        for one, rivals in zip(found, expected, strict=True):
            if rivals:
                assert one.by in (rivals & free or rivals)  # an undominated dominator, where there is one


def test_ten_thousand_points_take_seconds():
    random = Random(2)
    points = [
        [Value(q, q - 0.03, q + 0.03, 300), random.choice([1.0, 2.0, 4.0]), Value(t, t * 0.9, t * 1.1, 40)]
        for q, t in ((random.gauss(0.6, 0.1), random.lognormvariate(0, 0.4)) for _ in range(10_000))
    ]
    start = time.process_time()
    found = standings(points, ["higher", "lower", "lower"])
    assert time.process_time() - start < 8
    assert found.count("dominated") > 9_000
