"""Duplicates: the first stays, near ones are found, and selecting again drops nothing more."""

from __future__ import annotations

import random

from ptx_select.near import distinct, far, jaccard, shingles_of

WORDS = [f"word{number}" for number in range(400)]


def text(seed, count=60):
    return " ".join(random.Random(seed).sample(WORDS, count))


def test_the_same_words_are_one_text_whatever_their_case_and_punctuation():
    assert distinct(["Hello, world!", "hello world", "Hello there", "!!!", "???"]) == [
        True,
        False,
        True,
        True,
        True,
    ]


def test_near_duplicates_are_dropped_and_the_first_one_stays():
    first = text(1)
    near = f"{first} and one more"
    assert jaccard(shingles_of(first), shingles_of(near)) > 0.8
    assert far([first, text(2), near, text(3), near], 0.8) == [True, True, False, True, False]


def test_selecting_again_drops_nothing_more():
    texts = [text(seed % 7) + (" extra" if seed > 6 else "") for seed in range(20)]
    kept = [one for one, stays in zip(texts, far(texts, 0.8), strict=True) if stays]
    assert all(far(kept, 0.8))
    assert len(kept) == 7


def test_a_similarity_at_the_threshold_is_no_duplicate():
    first, second = text(1), text(1)
    assert far([first, second], 1.0) == [True, True]  # exact copies are the matter of by=exact
    assert far([first, second], 0.99) == [True, False]
