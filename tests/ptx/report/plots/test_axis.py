"""Ranges and ticks of axes."""

import math

import pytest

from ptx.report.plots.axis import linear_ticks, log_ticks, make_axis
from tests.ptx.report.runs import exact


def test_an_axis_is_logarithmic_only_beyond_a_decade():
    narrow = make_axis([exact("x", value) for value in (1.0, 9.0)], 0, 100, may_log=True, wanted=5)
    wide = make_axis([exact("x", value) for value in (1.0, 200.0)], 0, 100, may_log=True, wanted=5)
    assert (narrow.log, wide.log) == (False, True)
    assert wide.at(math.sqrt(200)) == pytest.approx(50)
    assert 0 < narrow.at(1.0) < narrow.at(9.0) < 100


def test_an_axis_of_one_value_or_of_zero_still_has_a_range():
    for value in (5.0, 0.0):
        axis = make_axis([exact("x", value)], 0, 100, may_log=True, wanted=5)
        assert axis.at(value) == pytest.approx(50)
        assert len(axis.ticks) >= 2


def test_ticks_are_round_numbers_inside_the_range():
    assert linear_ticks(0.24, 0.76, 5) == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7])
    assert log_ticks(0.9, 21) == pytest.approx([1, 2, 5, 10, 20])
