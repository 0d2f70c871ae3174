"""Answers side by side."""

import pytest

from tests.ptx.report.pages import data_of


@pytest.fixture(scope="module")
def data(demo_report):
    return data_of(demo_report)


def test_samples_have_the_items_on_which_the_models_differ(data):
    (bench,) = data["samples"]
    assert (bench["evaluator"], bench["of"]) == ("bench", 300)
    assert len(bench["items"]) <= 60
    assert len({answer[0] for answer in bench["items"][0]["answers"].values()}) > 1
