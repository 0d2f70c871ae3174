"""The package as a function: ``ptx.report(...)`` of the Python API."""

import pytest

import ptx
from ptx.report import build
from tests.ptx.report.runs import exact, write_run, write_sweep


def test_the_package_is_also_the_function_that_writes_a_report(tmp_path):
    write_run(tmp_path / "s" / "sft", "quiz", [], [exact("quiz/right", 0.5, "higher")])
    folder = write_sweep(tmp_path / "s", "sft")
    made = ptx.report(folder, to=tmp_path / "made")
    assert made.html == tmp_path / "made" / "report.html"
    assert made.html.is_file()
    assert made.csv.is_file()
    shown = made._repr_html_()
    assert "One model, sft: quiz right 0.500" in shown
    assert "<td>sft</td>" in shown
    assert ptx.report.build is build


def test_a_sweep_is_found_by_its_name_below_out(tmp_path):
    write_run(tmp_path / "runs" / "s" / "sft", "quiz", [], [exact("quiz/right", 0.5, "higher")])
    write_sweep(tmp_path / "runs" / "s", "sft")
    assert ptx.report("s", out=tmp_path).markdown == tmp_path / "runs" / "s" / "report" / "report.md"
    with pytest.raises(ptx.ConfigError, match="no sweep or run 'x'"):
        ptx.report("x", out=tmp_path)
