"""The data of the page as a whole."""

import pytest

from tests.ptx.report.pages import data_of


@pytest.fixture(scope="module")
def data(demo_report):
    return data_of(demo_report)


def test_the_first_screen_is_sentence_cards_matrix_and_front(data):
    assert data["sentence"][0] == ["Ship ", 0]
    assert [card["kind"] for card in data["cards"]] == ["best", "smallest", "fastest"]
    assert [head[0] for head in data["matrix"]["heads"]] == ["quality", "size", "latency"]
    assert len(data["matrix"]["lines"]) <= 8
    assert set(data["fronts"]) == {str(metric) for metric in data["axes"]["costs"]}
