"""Placement of labels."""

import pytest

from ptx.report.plots.placement import Box, Label, place

FRAME = Box(0, 0, 200, 100)


def test_a_lone_label_stands_right_of_its_point():
    (box,) = place([Label(50, 50, 30, 10)], [], [], FRAME)
    assert 50 < box.left < 65
    assert (box.top + box.bottom) / 2 == pytest.approx(50)


def test_a_label_at_the_right_edge_stands_left_of_its_point():
    (box,) = place([Label(195, 50, 30, 10)], [], [], FRAME)
    assert box.right < 195
    assert box.beyond(FRAME) == 0


def test_labels_of_one_point_do_not_overlap():
    first, second = place([Label(50, 50, 30, 10)] * 2, [], [], FRAME)
    assert first.shared(second) == 0


def test_a_label_covers_an_error_bar_rather_than_a_point():
    points = [Box(50, 0, 200, 100), Box(0, 0, 200, 44), Box(0, 56, 200, 100)]
    bar = Box(0, 0, 48, 100)
    (box,) = place([Label(50, 50, 30, 10)], points, [bar], FRAME)
    assert box.shared(bar) > 0
    assert [box.shared(point) for point in points] == [0, 0, 0]


def test_overlap_and_excess_are_measured_in_pixels():
    assert Box(0, 0, 10, 10).shared(Box(5, 6, 20, 20)) == 20
    assert Box(0, 0, 10, 10).shared(Box(10, 0, 20, 10)) == 0
    assert Box(-3, 0, 10, 104).beyond(FRAME) == 7
