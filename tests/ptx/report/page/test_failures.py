"""Failures by cause."""

from ptx.report import build
from tests.ptx.report.pages import data_of


def test_failures_of_one_cause_are_one_line(new_sweep, tmp_path):
    sweep = new_sweep()
    for number in range(5):
        sweep.run({"method": f"sft{number}"}, status="failed")
    (one,) = data_of(build([sweep.folder], tmp_path / "out"))["failures"]
    assert (one["count"], one["status"]) == (5, "failed")
