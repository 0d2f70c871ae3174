"""ROUGE-L: hand-counted, as the published package counts it, and in scripts that it does not know."""

from __future__ import annotations

import random

import pytest

from ptx_instruct.rouge import Pool, common, rouge_l, words_of


def slow_common(one, other):
    """The textbook table."""
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def test_the_longest_common_subsequence_is_that_of_the_table():
    draw = random.Random(0)
    for _ in range(300):
        one, other = ([draw.choice("abcde") for _ in range(draw.randrange(90))] for _ in range(2))
        assert common(one, other) == slow_common(one, other)


def test_a_hand_counted_pair():
    assert rouge_l(words_of("police killed the gunman"), words_of("police kill the gunman")) == 0.75
    assert rouge_l([], ["a"]) == 0


def test_it_is_what_the_published_package_says():
    rouge_scorer = pytest.importorskip("rouge_score.rouge_scorer")
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    pairs = [
        ("Write a poem about the sea.", "Write a short poem about the wide sea!"),
        ("What is 12 + 5?", "What is 13 + 5, and what is 2?"),
        ("Name three fruits", "Say hello"),
    ]
    for one, other in pairs:
        want = scorer.score(one, other)["rougeL"].fmeasure
        assert rouge_l(words_of(one), words_of(other)) == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "count"),
    [("Was kostet drei Gläser?", 4), ("请写一首诗", 5), ("Сколько будет два", 3), ("a_b", 2)],
)
def test_words_of_other_scripts_count(text, count):
    assert len(words_of(text)) == count


def test_a_pool_refuses_what_is_equal_or_near():
    pool = Pool(["Name three red fruits"], 0.7)
    assert pool.refuses("name THREE red fruits!") == "duplicates"
    assert pool.refuses("Name four red fruits") == "near"  # 0.75
    assert pool.refuses("Name four green fruits") == ""  # 0.5
    pool.add("Name four green fruits")
    assert pool.refuses("Name four green fruits") == "duplicates"
    assert pool.refuses("Name three red fruits now", parent="Name three red fruits") == ""
    assert Pool(["a b c d"], 1.0).refuses("a b c e") == ""
