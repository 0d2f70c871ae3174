"""Metric names as column heads."""

from ptx.report.table.metric_names import column_head


def test_unknown_metric_names_are_shown_as_they_are():
    assert column_head("judge/win_rate") == ("judge", "win rate")
    assert column_head("odd_metric") == ("", "odd_metric")
