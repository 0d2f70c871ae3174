"""Placement of labels."""

import pytest

from ptx.report.plots.placement import Box, Label, place


def test_a_lone_label_stands_right_of_its_point():
    (box,) = place([Label(50, 50, 30, 10)], [], [], Box(0, 0, 200, 100))
    assert 50 < box.left < 65
    assert (box.top + box.bottom) / 2 == pytest.approx(50)
