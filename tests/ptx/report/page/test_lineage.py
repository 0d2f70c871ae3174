"""From the base model to the artifact."""

import pytest

from tests.ptx.report.pages import data_of


@pytest.fixture(scope="module")
def data(demo_report):
    return data_of(demo_report)


def test_the_lineage_has_digests_and_the_command_of_the_row(data):
    place = data["rows"]["label"].index("sft · gptq")
    one = data["lineage"][str(place)]
    assert [step[0] for step in one["steps"]] == ["sft", "gptq"]
    assert one["command"] == "ptx train method=sft 'compress=[gptq]'"
    assert one["artifact"][0] == "abc"
