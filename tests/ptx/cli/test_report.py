"""``ptx report``: where a report goes, what its table shows, and which folder a name means."""

from __future__ import annotations

import pytest

import ptx as ptx_api
from ptx.cli.report import find
from ptx.errors import ConfigError


@pytest.fixture(autouse=True)
def host(toy_host, monkeypatch):
    for module in ("report", "sections"):
        monkeypatch.setattr(f"ptx.cli.{module}.get_host", lambda: toy_host)
    monkeypatch.setenv("COLUMNS", "200")
    return toy_host


def test_a_report_lies_in_the_sweep_and_its_table_is_printed(sweep, ptx):
    plan, *_ = sweep("method.rate=0.1,0.2", "name=a")
    code, out, _ = ptx("report", "a")
    assert code == 0
    names = {"report.md", "report.html", "report.csv"}
    assert names <= {path.name for path in (plan.folder / "report").iterdir()}
    lines = out.splitlines()
    table = next(place for place, line in enumerate(lines) if line.split()[:1] == ["rate"])
    assert [line.split()[0] for line in lines[table + 2 : table + 5]] == ["baseline", "0.1", "0.2"]
    assert lines[0].startswith(("Ship ", "Ship nothing yet: "))


def test_several_sweeps_go_into_one_report_with_a_title(sweep, ptx, desk):
    for name, rate in (("a", 0.1), ("b", 0.2)):
        sweep(f"method.rate={rate}", f"name={name}")
    assert ptx("report", "a", "b", "--to", "both", "--title", "Two rates")[0] == 0
    text = (desk / "both" / "report.md").read_text()
    assert text.startswith("# Two rates")
    assert not (desk / "ptx-out" / "runs" / "a" / "report").exists()


def test_a_run_is_found_by_path_by_name_and_below_its_sweep(sweep, desk):
    plan, *_ = sweep("name=a")
    out, run = desk / "ptx-out", plan.runs[1].id
    assert find(out, "a") == out / "runs" / "a"
    assert find(out, run) == out / "runs" / "a" / run
    assert find(out, str(out / "runs" / "a")) == out / "runs" / "a"
    with pytest.raises(ConfigError, match=r"no sweep or run 'b'; below .*runs: a"):
        find(out, "b")


def test_the_table_has_as_many_rows_as_were_asked_for(sweep, ptx):
    sweep("method.fail=true,false", "name=a")
    code, out, _ = ptx("report", "a", "--rows", "2")
    assert code == 0
    assert "… and 1 more (1 failed): report.html" in out
    assert "more" not in ptx("report", "a")[1]
    code, _, error = ptx("report", "a", "--rows", "0")
    assert code == 2
    assert "'0' is not a number of rows, such as 50" in error


def test_plugins_add_sections_to_the_report(sweep, ptx, toy, host_with, monkeypatch):
    from ptx import hookimpl

    class Sections:
        @hookimpl
        def ptx_report(self, records, folder):
            return [f"<h2>Seen {len(records)} runs</h2>"]

    host = host_with(toy=toy, sections=Sections())
    for module in ("report", "sections"):
        monkeypatch.setattr(f"ptx.cli.{module}.get_host", lambda: host)
    plan, *_ = sweep("name=a")
    assert ptx("report", "a")[0] == 0
    assert "Seen 2 runs" in (plan.folder / "report" / "report.html").read_text()


def test_a_section_that_a_plugin_cannot_make_is_left_out_and_the_rest_is_written(sweep, ptx, host, desk):
    sweep("name=a")

    class Broken:
        @ptx_api.hookimpl
        def ptx_report(self, records, folder):
            return [records[0].nothing]

    class Sound:
        @ptx_api.hookimpl
        def ptx_report(self, records, folder):
            return ["<p>seven sections</p>"]

    host.manager.register(Sound(), "sound")
    host.manager.register(Broken(), "broken")
    code, out, _ = ptx("report", "a")
    assert code == 0
    assert "without the section of broken: " in out
    assert "seven sections" in (desk / "ptx-out" / "runs" / "a" / "report" / "report.html").read_text()


def test_a_gate_decides_what_the_report_says_to_ship(sweep, ptx, desk):
    plan, *_ = sweep("method.rate=0.1", "name=gated")
    (desk / "mine.yaml").write_text("small: {metric: size/bytes_on_disk, at_most: 1, decide: value}\n")
    assert ptx("report", "gated", "--gate", "./mine.yaml")[0] == 0
    assert "| gate mine | small ≤ 1 |" in (plan.folder / "report" / "report.md").read_text()
    code, _, error = ptx("report", "gated", "--gate", "nosuch")
    assert code == 2
    assert "nosuch" in error
