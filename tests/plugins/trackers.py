"""A run as trackers see it, and its result."""

from __future__ import annotations

from types import SimpleNamespace

import pluggy

from ptx import Run, RunConfig, hookimpl
from ptx.hooks import hookspecs
from ptx.hooks.host import Host
from tests.plugins.conftest import Screen


def _metric(name, segment, value, n):
    return {
        "evaluator": "bench",
        "name": name,
        "segment": segment,
        "value": value,
        "low": value - 0.1,
        "high": value + 0.1,
        "n": n,
        "unit": "",
        "better": "higher",
    }


RESULT = {
    "status": "done",
    "seconds": 3.5,
    "steps": [{"name": "sft", "key": "k1", "shared": False, "seconds": 2.0, "bytes": 7, "metrics": {}}],
    "model": {"path": "x", "digest": "d", "kind": "full", "bytes": 7, "runtime": "hf"},
    "metrics": [_metric("acc", "", 0.5, 80), _metric("acc", "skill=add", 0.75, 8)],
}


def run_with(tmp_path, plugin, **tracker):
    """A run under the real plugin manager, with one tracker."""
    manager = pluggy.PluginManager("ptx")
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    step = SimpleNamespace(name="sft", kind="train", key="k1")
    plan = SimpleNamespace(id="r1", label="method=sft", sweep="grid", verb="train", steps=[step])
    config = RunConfig(tracker=tracker, out=str(tmp_path / "out"))
    record = tmp_path / "record"
    record.mkdir(exist_ok=True)
    events = record / "events.jsonl"
    return Run(config, Host(manager), Screen(), record, events, record, 0, "cpu", plan=plan, record=record)


def carried_out(run, work):
    """Let the core be ``work``, and execute the run."""

    class Core:
        @hookimpl(trylast=True)
        def ptx_run(self, run):
            return work(run)

    run.host.manager.register(Core())
    return run.host.hook.ptx_run(run=run)


def train(run):
    """Three points of a curve, then the result."""
    for step in range(1, 4):
        run.at(label="sft").log({"loss": 1.0 / step}, step, 3)
    return RESULT


def report(folder):
    """The files of a report."""
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<p>report")
    (folder / "report.md").write_text("# report")
    (folder / "report.csv").write_text("run,accuracy\na,0.5\n")
    return folder
