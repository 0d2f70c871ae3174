"""Each way to say which of two replies is better."""

import pytest

from ptx.data.layouts.verdicts import (
    EQUAL,
    FIRST,
    SECOND,
    Two,
    by_scores,
    flag,
    named,
    one_hot,
    reader_of,
    signed,
)
from ptx.data.tools import RowError


def two(*verdict, marks=("a", "b"), stem="response"):
    return Two((f"{stem}_{marks[0]}", f"{stem}_{marks[1]}"), marks, stem, verdict or ("winner",))


@pytest.mark.parametrize(
    ("marks", "value", "side"),
    [
        (("a", "b"), "model_a", FIRST),
        (("a", "b"), "B", SECOND),
        (("a", "b"), "Response B", SECOND),
        (("a", "b"), "assistant_a", FIRST),
        (("a", "b"), "response_b", SECOND),
        (("a", "b"), "first", FIRST),
        (("a", "b"), "tie (bothbad)", EQUAL),
        (("a", "b"), "both_bad", EQUAL),
        (("a", "b"), "A>B", FIRST),
        (("A", "B"), "[[B>>A]]", SECOND),
        (("A", "B"), "A=B", EQUAL),
        (("0", "1"), 0, FIRST),
        (("0", "1"), 1.0, SECOND),
        (("1", "2"), 1, FIRST),
        (("1", "2"), "2", SECOND),
        (("1", "2"), 0, EQUAL),
        (("1", "2"), 1.5, EQUAL),
    ],
)
def test_a_word_or_a_number_names_a_side(marks, value, side):
    assert named({"winner": value}, two(marks=marks)) == side


@pytest.mark.parametrize(
    ("marks", "value"),
    [
        (("a", "b"), 1),
        (("a", "b"), 0),
        (("a", "b"), "c"),
        (("0", "1"), 2),
        (("1", "2"), 3),
        (("a", "b"), "A>C"),
    ],
)
def test_what_could_be_either_side_is_refused(marks, value):
    with pytest.raises(RowError, match="winner must name a side"):
        named({"winner": value}, two(marks=marks))


def test_the_name_of_the_column_decides_how_it_is_read():
    assert reader_of(two("overall_preference"), []) is signed
    assert reader_of(two("labels", stem="human_ref"), []) is flag
    assert reader_of(two("labels"), []) is named
    assert reader_of(two("score_a", "score_b"), []) is by_scores
    assert reader_of(two("winner_model_a", "winner_model_b", "winner_tie"), []) is one_hot
    assert reader_of(two("verdict"), [{"verdict": 2}, {"verdict": -1}]) is signed


def test_numbers_are_compared():
    assert signed({"winner": "-1"}, two()) == FIRST
    assert by_scores({"x": 1, "y": 2}, two("x", "y")) == SECOND
    assert flag({"labels": True}, two("labels")) == FIRST
    with pytest.raises(RowError, match="x must be a number, got None"):
        by_scores({"x": None, "y": 2}, two("x", "y"))
