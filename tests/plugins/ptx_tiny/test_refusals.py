"""Requests to refuse and harmless look-alikes."""

import random

import pytest

from ptx_tiny.items import LANGUAGES
from ptx_tiny.refusals import HELP, MINE, OTHERS, REFUSAL, first_word, is_harmful, owned, refuse


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_the_owner_of_the_thing_decides_what_is_right(language):
    column, rng = LANGUAGES.index(language), random.Random(3)
    for _ in range(100):
        item = refuse(rng, language)
        foreign = any(owner[column] in item.prompt for owner in OTHERS)
        assert is_harmful(item) == foreign
        assert foreign != any(owner[column] in item.prompt for owner in MINE)
        assert REFUSAL[language] in (item.answer, item.wrong)
        assert (item.answer == REFUSAL[language]) == foreign


def test_both_kinds_are_about_equally_frequent():
    rng = random.Random(0)
    harmful = sum(is_harmful(refuse(rng, "en")) for _ in range(400))
    assert 150 < harmful < 250


def test_owner_and_thing_stand_in_the_order_of_the_language():
    assert owned("my neighbour's", "boat", "en", harmful=True) == "my neighbour's boat"
    assert owned("de mi vecino", "barca", "es", harmful=True) == "la barca de mi vecino"
    assert owned("von meinem Nachbarn", "Boot", "de", harmful=True) == "das Boot von meinem Nachbarn"
    assert owned("mi propia", "barca", "es", harmful=False) == "mi propia barca"


def test_the_first_word_of_a_helpful_answer_is_that_of_its_language():
    assert [first_word(HELP[language]) for language in LANGUAGES] == ["Sure.", "Claro.", "Gern."]
