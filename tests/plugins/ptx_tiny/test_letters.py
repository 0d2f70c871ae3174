"""Skills on letters: right answers, lengths, keys."""

import random

import pytest

from ptx_tiny.items import LANGUAGES
from ptx_tiny.letters import count, reverse, sort, swapped

LENGTHS = {"easy": 3, "medium": 4, "hard": 5}


@pytest.fixture(params=LANGUAGES)
def items(request):
    """``items(draw)``: a hundred items of a skill, in one of the languages."""
    rng = random.Random(1)
    return lambda draw: [draw(rng, request.param) for _ in range(100)]


def test_sorted_letters_are_those_that_were_shown_in_order(items):
    for item in items(sort):
        shown = item.prompt.partition(": ")[2].split()
        assert item.answer.split() == sorted(shown)
        assert len(shown) == LENGTHS[item.difficulty]
        assert item.key == item.answer


def test_reversed_letters_are_those_that_were_shown_backwards(items):
    for item in items(reverse):
        shown = item.prompt.partition(": ")[2].split()
        assert item.answer.split() == shown[::-1]
        assert item.key == min(" ".join(shown), item.answer)


def test_the_count_is_that_of_the_letter_in_the_sequence(items):
    for item in items(count):
        letter, _, letters = item.key.partition(":")
        assert " ".join(letters) in item.prompt
        assert int(item.answer) == letters.count(letter)
        assert 4 <= len(letters) <= 9
        assert int(item.wrong) >= 0


def test_a_swap_exchanges_two_neighbours():
    assert swapped("a b", random.Random(0)) == "b a"
    found = {swapped("a b c", random.Random(seed)) for seed in range(20)}
    assert found == {"b a c", "a c b"}
