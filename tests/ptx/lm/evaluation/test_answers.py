import pytest

from ptx.lm.evaluation.answers import vote


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("The answer is 19.", "19.0"),
        ("I think it is 19.", "#### 19"),
        (r"so \boxed{1,900}", "1900"),
        ("La respuesta es Rojo.", "rojo"),
        ("\N{MINUS SIGN}3", "-3"),
        ("100", "1e2"),
    ],
)
def test_equal_answers_vote_alike_however_they_are_said(a, b):
    assert vote(a) == vote(b)


@pytest.mark.parametrize(
    ("a", "b"),
    [("19", "91"), ("The answer is red.", "The answer is blue."), ("1, 2, 3", "1, 3, 2"), ("3", "-3")],
)
def test_other_answers_vote_otherwise(a, b):
    assert vote(a) != vote(b)
