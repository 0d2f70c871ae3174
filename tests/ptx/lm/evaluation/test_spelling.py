"""Answers in one spelling."""

import pytest

from ptx.lm.evaluation.spelling import tidy


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        (r"$\dfrac12$", r"\frac{1}{2}"),
        (r"\left( 1,\, 2 \right)", "( 1, 2 )"),
        (r"\mathbf{A}", "A"),
        ("**Paris**.", "Paris"),
        ("x² + 1", "x^{2} + 1"),
        ("1½", "1 1/2"),
        ("≤", r"\le"),
        (r"1{,}000", "1,000"),
        ("5!", "5!"),
        ("Paris!", "Paris"),
        ("$5.50", "$5.50"),
    ],
)
def test_one_spelling(text, tidied):
    assert tidy(text) == tidied
