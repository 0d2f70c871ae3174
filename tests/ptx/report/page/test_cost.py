"""Compute and money."""

import pytest

from tests.ptx.report.pages import data_of


@pytest.fixture(scope="module")
def data(demo_report):
    return data_of(demo_report)


def test_the_cost_is_what_was_asked_for_run_and_shared(data):
    cost = data["cost"]
    assert cost["asked"] == pytest.approx(cost["run"] + cost["shared"])
    assert 0 < cost["shared"] < cost["asked"]
