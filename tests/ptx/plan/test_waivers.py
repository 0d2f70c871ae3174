"""Findings that are allowed by their names, and names that no finding has."""

from ptx.errors import Problem
from ptx.plan.waivers import waiver_problems, without

SAME = Problem("chosen and rejected are identical", name="identical-sides")
NONE = Problem("column a is missing", name="unreadable")


def test_a_finding_is_left_out_by_its_name_alone():
    assert without([SAME, NONE], ["identical-sides"]) == [NONE]
    assert without([SAME, NONE], []) == [SAME, NONE]


def test_what_cannot_be_trained_stays_and_is_refused():
    assert without([NONE], ["unreadable"]) == [NONE]
    (problem,) = waiver_problems(["unreadable"])
    assert "cannot be allowed" in problem.what
    assert "data.bad=drop" in problem.fix


def test_a_misspelt_name_is_answered_with_the_right_one():
    (problem,) = waiver_problems(["identical-side"])
    assert problem.fix == "did you mean 'identical-sides'?"
    assert waiver_problems(["identical-sides"]) == []
