import math

import numpy as np
import pytest

from ptx_judge.outcomes import (
    Outcome,
    around,
    length_controlled,
    length_ratio,
    mean_score,
    of_scores,
    win_rate,
)

NAN = float("nan")


def outcome(first, second, lengths=(10, 10), *, same=False):
    return Outcome(first, second, lengths, same)


def named(metrics):
    return {metric.name: metric for metric in metrics}


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [(1, 1, 1), (0, 0, 0), (1, 0, 0.5), (0, 1, 0.5), (0.5, 0.5, 0.5), (1, 0.5, 0.5)],
)
def test_orders_that_disagree_are_a_tie(first, second, value):
    assert outcome(first, second).value == value


def test_an_order_without_a_verdict_leaves_the_outcome_open_between_its_bounds():
    half = outcome(1, NAN)
    assert math.isnan(half.value)
    assert (half.at(0.0), half.at(1.0)) == (0.5, 1.0)
    assert (outcome(NAN, NAN).at(0.0), outcome(NAN, NAN).at(1.0)) == (0.0, 1.0)


def test_an_unparsable_verdict_is_no_loss_but_counted_and_bounded():
    pairs = [outcome(1, 1), outcome(1, 1), outcome(0, 0), outcome(NAN, NAN)]
    found = named(around("w", pairs))
    assert win_rate("w", pairs).value == pytest.approx(2 / 3)
    assert win_rate("w", pairs).n == 3
    assert found["w/unparsable"].value == 0.25
    assert (found["w/worst_case"].value, found["w/best_case"].value) == (0.5, 0.75)


def test_there_are_no_bounds_where_everything_was_read():
    assert "w/worst_case" not in named(around("w", [outcome(1, 1), outcome(0, 1)]))


def test_consistency_counts_only_what_was_asked():
    found = named(around("w", [outcome(1, 1), outcome(1, 0), outcome(0.5, 0.5, same=True)]))
    assert (found["w/consistency"].value, found["w/consistency"].n) == (0.5, 2)
    assert found["w/ties"].value == pytest.approx(2 / 3)
    assert found["w/same_answers"].value == pytest.approx(1 / 3)


def test_a_model_compared_with_itself_has_an_exact_half():
    found = win_rate("w", [outcome(0.5, 0.5, same=True)] * 5)
    assert (found.low, found.value, found.high) == (0.5, 0.5, 0.5)


def test_a_win_rate_of_all_wins_keeps_an_interval():
    found = win_rate("w", [outcome(1, 1)] * 10)
    assert found.low < 1.0 == found.high


def test_the_length_ratio_of_twice_and_half_is_one():
    assert length_ratio("r", [outcome(1, 1, (199, 99)), outcome(1, 1, (99, 199))]).value == pytest.approx(1.0)
    assert length_ratio("r", [outcome(1, 1, (0, 0))]).value == 1.0


def test_scores_within_the_margin_tie_and_missing_ones_stay_open():
    assert of_scores(1.0, 0.9, 0.1, (1, 1), same=False).value == 0.5
    assert of_scores(1.0, 0.8, 0.1, (1, 1), same=False).value == 1.0
    assert math.isnan(of_scores(NAN, 0.8, 0.1, (1, 1), same=False).value)


def test_missing_grades_are_bounded_by_the_ends_of_the_scale():
    found = named(mean_score("g", [10.0, 10.0, NAN], (1.0, 10.0)))
    assert found["g"].value == 10.0
    assert (found["g/worst_case"].value, found["g/best_case"].value) == (7.0, 10.0)
    assert found["g/unparsable"].value == pytest.approx(1 / 3)
    assert "g/worst_case" not in named(mean_score("g", [1.0, 2.0, NAN], (-math.inf, math.inf)))


def answers(n, longer, seed=0):
    """Outcomes that do not depend on length, with our answer longer on the share ``longer`` of questions."""
    generator = np.random.default_rng(seed)
    theirs = generator.integers(200, 400, n).astype(float)
    ours = theirs + np.where(np.arange(n) < longer * n, 1, -1) * generator.integers(20, 180, n)
    return (generator.random(n) < 0.6).astype(float), ours, theirs


@pytest.mark.parametrize(("longer", "given"), [(0.5, True), (0.25, True), (0.15, False), (0.97, False)])
def test_a_win_rate_at_equal_length_needs_answers_that_are_longer_on_both_sides(longer, given):
    found = length_controlled("lc", *answers(200, longer))
    assert (not math.isnan(found.value)) is given
    if not given:
        assert f"not decided: the lengths hardly overlap: our answer is longer on {longer:.0%}" in found.note
        assert found.n == 200


def test_few_questions_give_no_win_rate_at_equal_length_and_say_so():
    assert length_controlled("lc", *answers(20, 0.5)).note == (
        "not decided: 20 questions with a verdict, 30 are the least"
    )


def test_a_win_rate_at_equal_length_far_from_the_raw_one_is_flagged():
    generator = np.random.default_rng(3)
    theirs = generator.integers(300, 400, 400).astype(float)
    ours = theirs + np.where(generator.random(400) < 0.75, 100, -100) + generator.integers(-50, 50, 400)
    wins = (generator.random(400) < np.where(ours > theirs, 0.8, 0.1)).astype(float)
    found = length_controlled("lc", wins, ours, theirs)
    assert found.value < wins.mean() - 0.1
    assert "from the raw win-rate" in found.note
    near = length_controlled("lc", *answers(400, 0.5))
    assert near.note == ""
