"""The trade-off picture."""

import pytest

from ptx.report.plots.placement import Box, place
from ptx.report.plots.tradeoff import NARROW, WIDE, Dot, Title, draw
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
            "front",
        )
        for index in range(count)
    ] + [Dot(99, "far", baseline=False, x=exact("x", 9.0), y=exact("y", 0.9, "higher"), standing="front")]


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_labels_of_a_crowd_overlap_neither_each_other_nor_the_frame(size, monkeypatch):
    placed = []
    monkeypatch.setattr(
        "ptx.report.plots.tradeoff.place", lambda *args: placed.extend(place(*args)) or list(placed)
    )
    scale = scale_of("", [1.0])
    draw(crowd(12), Title("x", scale), Title("y", scale), size, "crowd")
    assert len(placed) == 12  # of 13: a thirteenth label would help nobody
    assert all(a.shared(b) == 0 for index, a in enumerate(placed) for b in placed[:index])
    assert all(box.beyond(Box(0, 0, size.width, size.height)) == 0 for box in placed)


def test_a_picture_names_standing_and_values_of_every_point():
    scale = scale_of("", [1.0])
    dots = [
        Dot(1, "a <b>", True, exact("x", 2.0), exact("y", 0.5, "higher"), "dominated", "c"),
        Dot(2, "c", False, exact("x", 1.0), exact("y", 0.9, "higher"), "front"),
    ]
    svg = draw(dots, Title("cost", scale), Title("good", scale), WIDE, "one")
    assert "1. a &lt;b&gt; (dominated by c)" in svg
    assert "2. c (on the front)" in svg
    assert "<rect x=" in svg
    assert "front-line" in svg


def test_ten_thousand_points_are_a_cloud_and_twelve_labels(monkeypatch):
    scale = scale_of("", [1.0])
    dots = [
        Dot(i, f"m{i}", i == 0, exact("x", 1 + i % 97), exact("y", i / 1e4, "higher"), "dominated", "m9999")
        for i in range(9_900)
    ] + [
        Dot(i, f"m{i}", False, exact("x", 1 + i % 97), exact("y", i / 1e4, "higher"), "front")
        for i in range(9_900, 10_000)
    ]
    svg = draw(dots, Title("x", scale), Title("y", scale), WIDE, "many")
    assert svg.count('<text class="label') == 12
    assert svg.count("<title>") == 60
    assert len(svg) < 400_000
