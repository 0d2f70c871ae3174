"""Which answers are the same. The golden table of the scorers has many more."""

import pytest

from ptx.lm.evaluation.equality import Shape, ballots, same, shape


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", Shape()),
        ("1,234", Shape()),
        ("1, 2", Shape("list", ("1", "2"))),
        ("(1, (2, 3))", Shape("()", ("1", "(2, 3)"))),
        ("[1,2)", Shape("[)", ("1", "2"))),
        (r"\{1\}", Shape("{}", ("1",))),
        (r"(1,2)\cup[3,4]", Shape("union", ("(1,2)", "[3,4]"))),
        (r"\pm 3", Shape("list", ("+ 3", "- 3"))),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", Shape("matrix 2x2", ("1", "2", "3", "4"))),
        ("(x+1)(x+2)", Shape()),
        ("red, blue", Shape()),
    ],
)
def test_the_parts_of_an_answer(text, expected):
    assert shape(text) == expected


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("", ""), ("", "5"), ("5", ""), ("(" * 900, ")" * 900), ("[" * 60 + "1", "[" * 60 + "2"), ("\\", "$")],
)
def test_hostile_or_empty_answers_are_just_not_the_same(given, wanted):
    assert not same(given, wanted)


def test_nesting_beyond_the_bound_is_compared_as_text():
    deep = "(1, " * 9 + "2" + ")" * 9
    assert same(deep, deep)
    assert not same(deep, deep.replace("2", "3"))


def test_ballots_count_equal_answers_together_however_they_are_written():
    replies = [r"\boxed{\frac{1}{2}}", "The answer is 0.5.", r"\boxed{x^2-1}", r"\boxed{(x-1)(x+1)}", "", "3"]
    first, second, third, fourth, none, other = ballots(replies)
    assert first == second
    assert third == fourth
    assert none is None
    assert len({first, third, other}) == 3
