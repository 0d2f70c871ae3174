"""The closed vocabulary: no word twice, all three languages."""

import pytest

from ptx_tiny.vocabulary import CATEGORIES, COLOURS, NOUNS, NUMBERS

LISTS = {"numbers": NUMBERS, "colours": COLOURS, "nouns": NOUNS} | {
    f"category {place}": words for place, words in enumerate(CATEGORIES)
}


@pytest.mark.parametrize("name", LISTS)
def test_no_word_stands_twice_in_a_list_in_any_language(name):
    for column in range(3):
        words = [word[column] for word in LISTS[name]]
        assert all(words)
        assert len(set(words)) == len(words)


def test_no_word_is_of_two_categories():
    for column in range(3):
        words = [word[column] for kind in CATEGORIES for word in kind]
        assert len(set(words)) == len(words)
