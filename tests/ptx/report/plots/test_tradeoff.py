"""The trade-off picture."""

import pytest

from ptx.report.plots.placement import Box, place
from ptx.report.plots.tradeoff import NARROW, WIDE, Dot, Title, draw, with_standing
from ptx.report.table.units import scale_of
from tests.ptx.report.runs import exact


def crowd(count):
    """Points within a few pixels of each other."""
    return [
        Dot(
            index + 1,
            f"method{index} · gptq",
            index == 0,
            exact("x", 5 + index % 4 * 0.02),
            exact("y", 0.5 + index * 0.004, "higher"),
        )
        for index in range(count)
    ] + [Dot(99, "far", baseline=False, x=exact("x", 9.0), y=exact("y", 0.9, "higher"))]


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_labels_of_a_crowd_overlap_neither_each_other_nor_the_frame(size, monkeypatch):
    placed = []
    monkeypatch.setattr(
        "ptx.report.plots.tradeoff.place", lambda *args: placed.extend(place(*args)) or list(placed)
    )
    scale = scale_of("", [1.0])
    draw(with_standing(crowd(12)), Title("x", scale), Title("y", scale), size, "crowd")
    assert len(placed) == 13
    assert all(a.shared(b) == 0 for index, a in enumerate(placed) for b in placed[:index])
    assert all(box.beyond(Box(0, 0, size.width, size.height)) == 0 for box in placed)


def test_a_picture_names_standing_and_values_of_every_point():
    scale = scale_of("", [1.0])
    dots = with_standing(
        [
            Dot(1, "a <b>", baseline=True, x=exact("x", 2.0), y=exact("y", 0.5, "higher")),
            Dot(2, "c", baseline=False, x=exact("x", 1.0), y=exact("y", 0.9, "higher")),
        ]
    )
    svg = draw(dots, Title("cost", scale), Title("good", scale), WIDE, "one")
    assert "1. a &lt;b&gt; (dominated)" in svg
    assert "2. c (on the front)" in svg
    assert "<rect x=" in svg
    assert "front-line" in svg
