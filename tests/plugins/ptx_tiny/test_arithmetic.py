"""Skills on numbers: right answers, difficulties, keys."""

import random
import re

import pytest

from ptx_tiny.arithmetic import add, largest, near, subtract
from ptx_tiny.items import LANGUAGES


@pytest.fixture(params=LANGUAGES)
def items(request):
    """``items(draw)``: two hundred items of a skill, in one of the languages."""
    rng = random.Random(1)
    return lambda draw: [draw(rng, request.param) for _ in range(200)]


def numbers(text):
    return [int(found) for found in re.findall(r"\d+", text)]


def test_sums_are_right_and_harder_with_carries_and_hundreds(items):
    for item in items(add):
        a, b = numbers(item.prompt)
        assert int(item.answer) == a + b
        assert item.key == f"{min(a, b)}+{max(a, b)}"
        carries = a % 10 + b % 10 > 9
        assert item.difficulty == ("hard" if a + b > 99 else "medium" if carries else "easy")


def test_differences_are_right_and_never_below_zero(items):
    for item in items(subtract):
        a, b = map(int, item.key.split("-"))
        assert sorted(numbers(item.prompt)) == sorted((a, b))
        assert int(item.answer) == a - b >= 0


def test_the_largest_number_is_found_among_two_to_four(items):
    for item in items(largest):
        shown = numbers(item.prompt)
        assert int(item.answer) == max(shown)
        assert [int(choice) for choice in item.choices] == shown
        assert item.difficulty == {2: "easy", 3: "medium", 4: "hard"}[len(shown)]


def test_a_near_value_is_off_by_one_two_or_ten_and_not_below_zero():
    rng = random.Random(0)
    assert {abs(int(near(50, rng)) - 50) for _ in range(100)} == {1, 2, 10}
    assert {int(near(0, rng)) for _ in range(100)} == {1, 2, 10}
