import itertools

import pytest

from ptx.lm.serving.mixed import (
    CLOSER,
    MARGIN,
    OFF,
    ROUNDS,
    SAFE,
    Price,
    Search,
    cheapest,
    predicted,
    size,
)

MENU = {
    "a": [Price("4", 40, 0.30), Price("5", 50, 0.05), Price("8", 80, 0.001)],
    "b": [Price("4", 40, 0.02), Price("5", 50, 0.019), Price("8", 80, 0.0)],
    "c": [Price("4", 400, 0.10), Price("5", 500, 0.12), Price("8", 800, 0.0)],
}


def test_the_fewest_bytes_below_the_target_are_taken():
    assert cheapest(MENU, 1.0) == {"a": "4", "b": "4", "c": "4"}
    assert cheapest(MENU, 0.2) == {"a": "5", "b": "4", "c": "4"}
    assert cheapest(MENU, 0.0) == {"a": "8", "b": "8", "c": "8"}


def test_an_output_layer_that_overshoots_is_left_alone_where_small_matrices_suffice():
    """The upgrade of ``head`` saves the most per byte, and is not needed."""
    layers = {f"layer {n}": [Price("4", 50, 0.02), Price("4 free", 55, 0.002)] for n in range(8)}
    menu = layers | {"head": [Price("4", 400, 0.1), Price("8", 800, 0.0005)]}
    plan = cheapest(menu, 0.13)
    assert plan["head"] == "4"
    assert size(menu, plan) == 8 * 50 + 400 + 5 * 8
    assert predicted(menu, plan) <= 0.13
    assert cheapest(menu, 0.1)["head"] == "8"


def test_a_format_that_costs_more_bytes_and_more_nats_is_never_taken():
    for target in (0.3, 0.2, 0.1, 0.05, 0.01):
        assert cheapest(MENU, target)["c"] != "5"


def test_no_choice_within_the_target_has_fewer_bytes():
    """Against all choices, for targets that the grid of nats does not divide."""
    for target in (0.41, 0.2, 0.1234567, 0.1, 0.0501, 0.01):
        plan = cheapest(MENU, target)
        for forms in itertools.product(*([price.format for price in prices] for prices in MENU.values())):
            other = dict(zip(MENU, forms, strict=True))
            if predicted(MENU, other) <= target * 0.999:
                assert size(MENU, other) >= size(MENU, plan)
        assert predicted(MENU, plan) <= target


def test_plans_grow_in_bytes_and_are_aimed_by_what_was_measured():
    search, found = Search(MENU, 0.3), []
    for plan in search.plans():
        aim = MARGIN * 0.3 / search.off
        assert predicted(MENU, plan) <= aim
        found.append(plan)
        search.learn(plan, 3 * predicted(MENU, plan))
        assert search.off == pytest.approx(3)
    sizes = [size(MENU, plan) for plan in found]
    assert sizes == sorted(sizes)
    assert len(found) == len({tuple(plan.items()) for plan in found}) > 1


def test_the_last_plan_is_far_below_the_others_where_what_was_measured_hardly_falls():
    search, found = Search(MENU, 0.3), []
    for plan in search.plans():
        found.append(predicted(MENU, plan))
        search.learn(plan, 0.35)
    assert len(found) == ROUNDS
    assert found[-1] <= SAFE * MARGIN * 0.3 / OFF * CLOSER ** (ROUNDS - 2)


def test_the_first_plan_is_aimed_with_what_is_known_of_such_predictions():
    first = next(Search(MENU, 0.3).plans())
    assert first == cheapest(MENU, MARGIN * 0.3 / OFF)


def test_a_package_that_was_not_measured_teaches_nothing_and_a_near_one_no_carelessness():
    search, plan = Search(MENU, 0.3), dict.fromkeys(MENU, "4")
    search.learn(plan, float("inf"))
    assert search.off == OFF
    search.learn(plan, 0.1)
    assert search.off == 1.0


def test_a_matrix_with_one_format_has_that():
    assert cheapest({"a": [Price("8", 10, 0.5)]}, 0.1) == {"a": "8"}
    assert predicted({"a": [Price("8", 10, 0.5)]}, {"a": "8"}) == pytest.approx(0.5)
