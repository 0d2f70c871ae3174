"""Skills on words: marks, facts, translations, the odd one out."""

import random

import pytest

from ptx_tiny.items import LANGUAGES
from ptx_tiny.vocabulary import CATEGORIES
from ptx_tiny.words import invented, lookup, mark, odd, phrase, sentence, translate


@pytest.fixture(params=LANGUAGES)
def items(request):
    """``items(draw)``: a hundred items of a skill, in one of the languages."""
    rng = random.Random(1)
    return lambda draw: [draw(rng, request.param) for _ in range(100)]


def test_marked_words_are_those_of_the_prompt_between_the_marks_it_names(items):
    for item in items(mark):
        assert item.answer[1:-1] == item.key
        assert item.key in item.prompt
        assert (item.answer[0], item.answer[-1]) in {("[", "]"), ("*", "*"), ("<", ">")}


def test_a_fact_that_is_asked_for_stands_in_the_prompt(items):
    for item in items(lookup):
        facts = dict(fact.split("=") for fact in item.key.split(","))
        (place,) = [place for place, value in facts.items() if value == item.answer][:1]
        assert item.answer in item.prompt
        assert item.prompt.count(place) >= 2  # in its fact and in the question


def test_a_translation_is_into_another_language_and_its_key_is_english(items):
    for item in items(translate):
        assert item.prompt.endswith(item.plain.partition(" = ")[0])
        assert item.plain.endswith(f" = {item.answer}")
        assert item.key.split()[0] in {"two", "three", "four", "five", "six", "seven", "eight", "nine"}


def test_phrases_follow_the_word_order_of_the_language():
    things = [(0, 0, 0), (2, -1, 1)]
    assert phrase(things, "en") == "two red dogs and four cats"
    assert phrase(things, "es") == "dos perros rojos y cuatro gatos"
    assert phrase(things, "de") == "zwei rote Hunde und vier Katzen"


def test_the_odd_word_alone_is_of_its_kind(items):
    for item in items(odd):
        column = LANGUAGES.index(item.language)
        kinds = [{word[column] for word in kind} for kind in CATEGORIES]
        (others,) = [kind for kind in kinds if len(kind & set(item.choices)) == len(item.choices) - 1]
        assert item.answer not in others
        assert item.wrong in others


def test_invented_words_are_syllables_and_sentences_begin_in_upper_case():
    word = invented(random.Random(0), 3)
    assert len(word) == 6
    assert all(vowel in "aeiou" for vowel in word[1::2])
    assert sentence("la capital de Kelo") == "La capital de Kelo"
