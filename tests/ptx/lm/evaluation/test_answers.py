import time

import pytest

from ptx.lm.evaluation.answers import concluded, final, marked, number_in, vote


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"so \boxed{\frac{\sqrt{3}}{2}} it is", r"\frac{\sqrt{3}}{2}"),
        (r"\boxed{1}. Then I saw that it is \boxed{2}", "2"),
        (r"$\boxed{1}$ or $\boxed{2}$", "1, 2"),
        (r"\boxed{\boxed{4}}", "4"),
        (r"\boxed{\{1,2\}}", r"\{1,2\}"),
        (r"\boxed{42", ""),
        ("The answer is Dr. Who. He came late.", "Dr. Who"),
        ("Answer:\n\n5", "5"),
        ("The answer is\n\\[\nx^2\n\\]\n", "x^2"),
        ("The final answer to the question is: (B) Paris", "(B) Paris"),
        ("It is 12 because 12 is even", None),
        ("My answer is 12 because 12 is even", "12"),
    ],
)
def test_a_mark_gives_the_whole_answer_and_nothing_else(text, expected):
    assert marked(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 + 4 = 7", "7"),
        (r"so $x = \frac{1}{2}$ is right", r"x = \frac{1}{2}"),
        ("it is 5 or 6", None),
        ("50 %", "50%"),
        ("no number", None),
    ],
)
def test_without_a_mark_the_last_number_or_formula_counts(text, expected):
    assert concluded(text) == expected


@pytest.mark.parametrize(
    "text",
    ["\\boxed{" * 20000, "\\[" * 30000, "$x " * 20000, "(" * 100_000, "#### " * 20000, "answer is " * 9000],
)
def test_reading_a_hostile_text_takes_linear_time(text):
    began = time.perf_counter()
    marked(text)
    concluded(text)
    number_in(text)
    assert time.perf_counter() - began < 5  # milliseconds; hours where a pattern is quadratic


@pytest.mark.parametrize(
    ("text", "expected"),
    [("<think>5</think> 7", " 7"), ("5</think>7", "7"), ("<think>5", ""), ("no reasoning", "no reasoning")],
)
def test_reasoning_is_not_part_of_the_final_text(text, expected):
    assert final(text) == expected
