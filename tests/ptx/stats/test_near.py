"""Duplicates: the first stays, near ones are found, and selecting again drops nothing more."""

from __future__ import annotations

import random

from ptx.stats.near import distinct, far, groups, jaccard, shingles_of

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


def test_groups_join_texts_by_chains_of_similar_ones():
    """The first and the last share too little, but the one between them is like both."""
    words = text(1, 100).split()
    chain = [" ".join(words[start : start + 80]) for start in (0, 8, 16)]
    ends = jaccard(shingles_of(chain[0]), shingles_of(chain[2]))
    assert ends < 0.7 < jaccard(shingles_of(chain[0]), shingles_of(chain[1]))
    assert groups([text(2), *chain, text(2)], 0.7) == [0, 1, 1, 1, 0]


def test_groups_equal_those_of_comparing_every_two_texts():
    drawn = random.Random(0)
    texts = []
    for seed in range(12):
        base = text(seed).split()
        for _ in range(drawn.randint(1, 5)):
            base[drawn.randrange(len(base))] = f"other{drawn.randrange(99)}"
            texts.append(" ".join(base))
    drawn.shuffle(texts)
    slow = list(range(len(texts)))
    for one, first in enumerate(texts):
        for two, second in enumerate(texts[:one]):
            if jaccard(shingles_of(first), shingles_of(second)) >= 0.7:
                low, high = sorted((slow[one], slow[two]))
                slow = [low if group == high else group for group in slow]
    assert groups(texts, 0.7) == slow


def test_thousands_of_equal_texts_are_one_group():
    assert set(groups([text(1)] * 5000, 0.7)) == {0}
