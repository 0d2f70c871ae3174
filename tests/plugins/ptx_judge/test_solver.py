import math

import numpy as np
import pytest

from ptx_judge.solver import (
    bradley_terry,
    controlled_interval,
    length_controlled,
    logistic,
    sigmoid,
    strengths,
)


def sample(theta, phi, n=4000, seed=0):
    """Outcomes drawn from the model itself, with lengths on both sides of equality."""
    draw = np.random.default_rng(seed)
    theirs = draw.uniform(50, 150, n)
    ours = theirs + draw.normal(20, 40, n)
    gaps = ours - theirs
    chance = sigmoid(theta + phi * np.tanh(gaps / gaps.std()))
    return (draw.random(n) < chance).astype(float), ours, theirs


def test_the_length_controlled_win_rate_finds_the_rate_at_equal_length():
    outcomes, ours, theirs = sample(theta=-0.5, phi=2.0)
    assert outcomes.mean() > 0.5  # the longer answers win, so the raw rate flatters
    assert length_controlled(outcomes, ours, theirs) == pytest.approx(sigmoid(np.array(-0.5)), abs=0.03)


def test_without_a_preference_for_length_it_is_the_raw_rate():
    outcomes, ours, theirs = sample(theta=0.7, phi=0.0)
    assert length_controlled(outcomes, ours, theirs) == pytest.approx(outcomes.mean(), abs=0.02)


def test_logistic_regression_agrees_with_plain_gradient_ascent():
    outcomes, ours, theirs = sample(0.3, 1.0, n=300)
    design = np.column_stack([np.ones(300), (ours - theirs) / (ours - theirs).std()])
    slow = np.zeros(2)
    for _ in range(3000):
        slow += 2.0 * design.T @ (outcomes - sigmoid(design @ slow)) / 300
    assert logistic(design, outcomes) == pytest.approx(slow, abs=1e-6)


def test_without_a_slope_the_fit_is_the_logit_of_the_mean():
    found = logistic(np.ones((4, 1)), np.array([1.0, 1.0, 0.5, 0.5]))
    assert found[0] == pytest.approx(math.log(0.75 / 0.25))


LENGTHS = np.arange(40.0)


@pytest.mark.parametrize(
    ("outcomes", "ours", "theirs"),
    [
        pytest.param(np.tile([0.0, 1.0], 20), LENGTHS, LENGTHS, id="lengths never differ"),
        pytest.param(
            np.tile([0.0, 1.0], 20),
            LENGTHS + 5,
            LENGTHS + np.tile([1.0, 2.0], 20),
            id="one side is always longer",
        ),
        pytest.param(np.ones(40), LENGTHS, LENGTHS[::-1].copy(), id="all won"),
        pytest.param((LENGTHS > 19.5).astype(float), LENGTHS, LENGTHS[::-1].copy(), id="separated by length"),
        pytest.param(np.tile([0.0, 1.0], 10), LENGTHS[:20], LENGTHS[:20][::-1].copy(), id="too few"),
    ],
)
def test_what_cannot_be_estimated_is_refused(outcomes, ours, theirs):
    assert length_controlled(outcomes, ours, theirs) is None
    assert controlled_interval(outcomes, ours, theirs, 0, repeats=20) is None


def test_the_interval_repeats_the_whole_fit_and_covers_the_truth():
    truth, inside = float(sigmoid(np.array(-0.3))), 0
    for seed in range(40):
        _, low, high = controlled_interval(*sample(-0.3, 1.5, n=150, seed=seed), seed=0, repeats=80)
        inside += low <= truth <= high
    assert 34 <= inside <= 40  # 95 % of 40 is 38


def test_two_models_differ_by_the_logit_of_their_games():
    found = bradley_terry(np.array([[0.0, 30.0], [10.0, 0.0]]))
    assert found[0] - found[1] == pytest.approx(math.log(3))
    assert found.sum() == pytest.approx(0.0)


def test_bradley_terry_agrees_with_a_logistic_regression_of_the_games():
    wins = np.array([[0, 8, 5], [2, 0, 7], [4, 3, 0]], dtype=float)
    rows, outcomes = [], []
    for i in range(3):
        for j in range(3):
            rows += [np.eye(3)[i, :2] - np.eye(3)[j, :2]] * int(wins[i, j])
            outcomes += [1.0] * int(wins[i, j])
    slow = logistic(np.array(rows), np.array(outcomes))
    fast = bradley_terry(wins)
    assert fast[:2] - fast[2] == pytest.approx(slow, abs=1e-6)


def test_a_model_that_never_lost_has_no_strength():
    assert bradley_terry(np.array([[0, 5, 5], [0, 0, 3], [0, 3, 0]], dtype=float)) is None


def test_strengths_are_bootstrapped_by_question_and_cover_equal_models():
    draw, covered = np.random.default_rng(0), 0
    for _ in range(30):
        games = []
        for _ in range(60):
            luck = draw.random((3, 3))  # one question: its games share nothing but the question
            won = np.triu(luck < 0.5, 1).astype(float)
            games.append(won + np.tril(1 - won.T, -1))
        covered += all(low <= 0 <= high for _, low, high in strengths(games, 0, repeats=100))
    assert covered >= 24  # three intervals each at 95 %: about 27 of 30


def test_strengths_without_an_interval_say_so():
    games = [np.array([[0.0, 1.0], [0.0, 0.0]])] * 9 + [np.array([[0.0, 0.0], [1.0, 0.0]])]
    found = strengths(games, 0, repeats=200)
    assert found[0][0] == pytest.approx(math.log(9) / 2)
    assert math.isinf(found[0][2])  # a third of the resamples has no loss in it
