import math

import pytest

from benchmarks.coverage import dominated
from ptx.stats.pareto import Value, front, near, standings

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
