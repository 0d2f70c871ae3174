"""Hooks at work that no other test of the core goes through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ptx import Choice, ModelRef, Runtime, hookimpl, setting
from ptx.compose.jobs import compose_jobs
from ptx.execute.sweep import run_sweep
from ptx.files import read_json
from ptx.plan.planner import make_plan
from ptx.testing import Silent

BASE = ["model=./model", "data=./text.jsonl", "method=toy", "eval=[latency]"]


def run(host, *words):
    plan = make_plan(host, "train", compose_jobs(host, "train", [*BASE, *words]), "ptx test")
    console = Silent()
    return plan, run_sweep(plan, host, console), console


def test_ptx_searchpath_brings_the_presets_of_a_plugin(host_with, toy, desk):
    folder = desk / "theirs" / "method"
    folder.mkdir(parents=True)
    (folder / "eager.yaml").write_text("defaults: [toy]\nrate: 0.8\n")

    class Plugin:
        @hookimpl
        def ptx_searchpath(self):
            return [str(desk / "theirs")]

    host = host_with(toy=toy, theirs=Plugin())
    assert compose_jobs(host, "train", ["model=./model", "method=eager"])[0].config.method.rate == 0.8


def test_ptx_export_makes_the_package_that_is_measured(host_with, toy, desk, opened):
    @dataclass
    class Packed(Runtime):
        exports: ClassVar[bool] = True
        level: int = setting(3, "how small")

    class Plugin:
        @hookimpl
        def ptx_choices(self):
            return [Choice("runtime", "packed", Packed)]

        @hookimpl
        def ptx_export(self, run, runtime, model):
            (run.folder / "package").mkdir()
            (run.folder / "package" / "model.bin").write_bytes(
                (model.path / "model.safetensors").read_bytes()[-4:]
            )
            return ModelRef.of(run.folder / "package", "package")

        @hookimpl
        def ptx_load(self, runtime, model):
            if not isinstance(runtime, Packed):
                return None
            assert model.kind == "package"
            return opened(float(runtime.level))

    plan, outcome, _ = run(host_with(toy=toy, packed=Plugin()), "runtime=packed")
    assert outcome.failed == ()
    result = read_json(plan.folder / plan.runs[-1].id / "result.json")
    assert [step["kind"] for step in result["steps"]] == ["train", "export"]
    assert (result["model"]["kind"], result["model"]["bytes"]) == ("package", 4)
    assert result["metrics"][0]["value"] == 3.0


def test_ptx_log_gets_the_progress_and_one_that_fails_is_named_once_and_stops_nothing(host_with, toy, desk):
    seen = []

    class Tracker:
        @hookimpl
        def ptx_log(self, metrics, step):
            seen.append((step, metrics))
            raise ConnectionError("tracker is down")

    _, outcome, console = run(host_with(toy=toy, tracker=Tracker()))
    assert outcome.failed == ()
    assert seen == [(1, {"loss": 1.0}), (2, {"loss": 0.5})]
    assert [line for line in console.said if "tracker failed" in line] == [
        "toy: tracker failed: ConnectionError: tracker is down"
    ]


def test_ptx_report_adds_sections_to_the_report(tmp_path, monkeypatch, toy, host_with, desk):
    from ptx.cli import report, sections

    class Plugin:
        @hookimpl
        def ptx_report(self, records, folder):
            return [f"<p>{len(records)} runs, says the plugin</p>"]

    host = host_with(toy=toy, words=Plugin())
    plan, _, _ = run(host)
    for module in (report, sections):
        monkeypatch.setattr(module, "get_host", lambda: host)
    assert report.main("report", [str(plan.folder)]) == 0
    assert "2 runs, says the plugin" in (plan.folder / "report" / "report.html").read_text()


def test_ptx_run_is_wrapped_by_a_plugin(host_with, toy, desk):
    class Meter:
        @hookimpl(wrapper=True)
        def ptx_run(self, run):
            result = yield
            return result | {"energy_joules": 1.0}

    plan, _, _ = run(host_with(toy=toy, meter=Meter()))
    assert read_json(plan.folder / plan.runs[-1].id / "result.json")["energy_joules"] == 1.0
