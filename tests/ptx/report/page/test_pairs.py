"""Comparisons of the finalists with each other."""

import pytest

from tests.ptx.report.pages import data_of


@pytest.fixture(scope="module")
def data(demo_report):
    return data_of(demo_report)


def test_pairs_of_finalists_are_compared_by_item(data):
    metric = next(i for i, one in enumerate(data["metrics"]) if one["name"] == "bench/mean")
    found = [key for key in data["pairs"] if key.endswith(f",{metric}")]
    assert len(found) == 12 * 11 // 2
    assert all(len(text.split(",")) == 5 for text in data["pairs"].values())
