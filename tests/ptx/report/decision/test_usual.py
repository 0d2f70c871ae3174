"""The gate of a report for which nobody has named one."""

from __future__ import annotations

import pytest

from ptx.records import Metric
from ptx.report import make_frame
from ptx.report.decision.usual import usual_gate
from tests.ptx.report.decision.worlds import model


@pytest.mark.parametrize(
    ("metric", "bound"),
    [
        (Metric("quiz/acc", 0.5, "fraction", "higher", 0.4, 0.6, 90), ("baseline", -0.02, None)),
        (Metric("quiz/error", 0.5, "fraction", "lower", 0.4, 0.6, 90), ("baseline", None, 0.02)),
        (Metric("quiz/points", 50.0, "points", "higher", 40, 60, 90), ("ratio", 0.98, None)),
        (Metric("prose/bits", 1.0, "bits/byte", "lower", 0.9, 1.1, 90), ("ratio", None, 1.02)),
    ],
)
def test_quality_may_fall_by_two_points_or_two_percent(metric, bound):
    one = usual_gate(make_frame([model("a", extra=[metric])])).constraints["quality"]
    assert (one.versus, one.at_least, one.at_most) == bound


def test_safety_is_asked_for_where_it_was_measured():
    rate = Metric("safety/harmful_compliance_rate", 0.1, "fraction", "lower", 0.05, 0.15, 90)
    assert "safety" in usual_gate(make_frame([model("a", 0.5, extra=[rate])])).constraints
    assert "safety" not in usual_gate(make_frame([model("a", 0.5)])).constraints
