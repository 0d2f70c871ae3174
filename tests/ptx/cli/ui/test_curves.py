"""Curves that stay short, and give their new points once."""

from __future__ import annotations

from ptx.cli.ui.curves import MOST_METRICS, MOST_POINTS, Curves, drawable


def test_new_points_are_given_once():
    curves = Curves()
    curves.add(1, {"loss": 2.0})
    curves.add(2, {"loss": 1.5, "reward": 0.1})
    assert curves.take() == {"loss": [[1.0, 2.0], [2.0, 1.5]], "reward": [[2.0, 0.1]]}
    assert curves.take() == {}
    curves.add(3, {"loss": 1.0})
    assert curves.take() == {"loss": [[3.0, 1.0]]}
    assert len(curves.points["loss"]) == 3


def test_a_long_curve_keeps_its_shape_and_stays_short():
    curves = Curves()
    for step in range(10_000):
        curves.add(step, {"loss": step / 2})
    points = curves.points["loss"]
    assert MOST_POINTS / 3 < len(points) <= MOST_POINTS
    assert points == sorted(points)
    assert points[0][0] == 0
    assert points[-1][0] > 9_900
    assert all(y == x / 2 for x, y in points)


def test_what_cannot_be_drawn_is_left_out():
    curves = Curves()
    for step, metrics in [
        (None, {"a": 1}),
        ("x", {"a": 1}),
        (1, 5),
        (1, {"a": "x", "b": float("nan")}),
        (1, {"c": 1e300}),
    ]:
        curves.add(step, metrics)
    assert curves.take() == {}
    curves.add(1, {f"m{i}": i for i in range(100)})
    assert len(curves.points) == MOST_METRICS


def test_the_loss_comes_first_and_times_are_no_curve():
    assert list(drawable({"grad_norm": 1, "eta_seconds": 3, "loss": 2, "tokens": 7})) == ["loss", "grad_norm"]
