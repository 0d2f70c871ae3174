import pytest

from ptx_judge.rule import FORM, holds, score


@pytest.mark.parametrize(
    ("completion", "reference", "found"),
    [
        ("The answer is 19.", "19", True),
        ("It is the New York office.", "new york", True),
        ("The answer is 190.", "19", False),
        ("1 and 9", "19", False),
        ("The answer is 3.5.", "3.5", True),
        ("york new", "new york", False),
        ("", "19", False),
        ("anything", "", False),
    ],
)
def test_the_reference_counts_as_words_side_by_side(completion, reference, found):
    assert holds(completion, reference, 50) is found


@pytest.mark.parametrize(
    ("completion", "reference", "found"),
    [
        (r"It is $\sqrt{2}+1$.", r"\sqrt{2}-1", False),
        (r"It is $\sqrt{2}-1$.", r"\sqrt{2}-1", True),
        (r"\boxed{x^{2}+5}", r"x^{2}-7", False),
        ("It is -5 degrees", "5", False),
        ("It is -5 degrees", "-5", True),
        ("That makes 72 clips.", "48/2 = 24\n#### 72", True),
        ("That makes 24 clips.", "48/2 = 24\n#### 72", False),
    ],
)
def test_a_formula_or_a_marked_answer_must_be_the_same_and_not_only_share_its_words(
    completion, reference, found
):
    assert holds(completion, reference, 50) is found


def test_listing_everything_is_not_answering():
    assert not holds(" ".join(map(str, range(100))), "19", 50)


def test_the_answer_outweighs_every_form():
    right_but_ugly = score("19 " * 40, "19", 50)
    wrong_but_fine = score("The answer is 20.", "19", 50)
    assert right_but_ugly > wrong_but_fine


def test_without_a_reference_the_form_decides():
    fine, loop, empty = "One should sleep and drink water.", "go on " * 60, "  "
    assert score(fine, None, 50) == pytest.approx(FORM)
    assert score(fine, None, 50) > score(loop, None, 50) > score(empty, None, 50) == 0.0
