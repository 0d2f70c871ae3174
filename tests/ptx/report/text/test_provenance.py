"""The provenance of a report."""

from ptx.report import build
from tests.ptx.report.pages import texts


def test_the_demonstration_model_is_called_what_it_is(demo_report, new_sweep, tmp_path):
    other = new_sweep(model="org/other")
    other.run({"method": "sft"})
    assert all("demonstration and test model" in text for text in texts(demo_report))
    assert not any(
        "demonstration and test model" in text for text in texts(build([other.folder], tmp_path / "out"))
    )
