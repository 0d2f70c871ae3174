"""Whether a completion states a reference's answer; the scorers' golden table has many more."""

import math

import pytest

from ptx.lm.evaluation.stated import is_maths, states, wanted_answer

ESSAY = "First one thing happened. Then another did. " * 20


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("Half of 48 is 24.\n#### 24", "24"),
        (ESSAY + r"So the area is $12\pi$.", r"12\pi"),
        (ESSAY + r"With $x = 3$ the area is $12\pi$.", ""),
        (ESSAY, ""),
        ("Paris.", "Paris"),
        ("", ""),
    ],
)
def test_the_answer_that_a_reference_states(reference, expected):
    assert wanted_answer(reference) == expected


def test_what_has_no_answer_cannot_be_scored():
    assert math.isnan(states("5", ESSAY))
    assert math.isnan(states("5", ""))


def test_the_whole_completion_counts_before_its_last_number():
    assert states("(1, 2)", "(1,2)") == 1.0
    assert states("so 3 + 4 = 7", "7") == 1.0
    assert states("5 euros", "$5") == 0.0


def test_numbers_and_formulas_are_maths_and_words_are_not():
    assert [is_maths(text) for text in ("5 cm", "x+1", r"\pi", "Paris", "two horses")] == [True] * 3 + [
        False
    ] * 2
