import itertools

import pytest

from ptx.lm.serving.mixed import Price, cheapest, plans, predicted, size

MENU = {
    "a": [Price("4", 40, 0.30), Price("5", 50, 0.05), Price("8", 80, 0.001)],
    "b": [Price("4", 40, 0.02), Price("5", 50, 0.019), Price("8", 80, 0.0)],
    "c": [Price("4", 400, 0.10), Price("5", 500, 0.12), Price("8", 800, 0.0)],
}


def test_what_saves_the_most_nats_per_byte_comes_first():
    assert cheapest(MENU, 1.0) == {"a": "4", "b": "4", "c": "4"}
    assert cheapest(MENU, 0.2) == {"a": "5", "b": "4", "c": "4"}
    assert cheapest(MENU, 0.0) == {"a": "8", "b": "8", "c": "8"}


def test_a_format_that_costs_more_bytes_and_more_nats_is_never_taken():
    for target in (0.3, 0.2, 0.1, 0.05, 0.01):
        assert cheapest(MENU, target)["c"] != "5"


def test_plans_grow_in_bytes_and_stay_below_their_targets():
    found = plans(MENU, 0.3)
    sizes = [size(MENU, plan) for plan in found]
    assert sizes == sorted(sizes)
    assert len(found) == len({tuple(plan.items()) for plan in found})
    assert predicted(MENU, found[0]) <= 0.15


def test_no_choice_of_the_same_bytes_is_better():
    """Against all choices: the greedy one lies on the lower edge wherever it stops."""
    for target in (0.2, 0.1, 0.01):
        plan = cheapest(MENU, target)
        for forms in itertools.product(*([price.format for price in prices] for prices in MENU.values())):
            other = dict(zip(MENU, forms, strict=True))
            if size(MENU, other) <= size(MENU, plan):
                assert predicted(MENU, other) >= predicted(MENU, plan) - 1e-12


def test_a_matrix_with_one_format_has_that():
    assert cheapest({"a": [Price("8", 10, 0.5)]}, 0.1) == {"a": "8"}
    assert predicted({"a": [Price("8", 10, 0.5)]}, {"a": "8"}) == pytest.approx(0.5)
