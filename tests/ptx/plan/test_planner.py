"""Plans: which runs, steps and measurements there are, and which of them share a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from ptx import Choice, Evaluation, Evaluator, Metric, ModelRef, Runtime, hookimpl
from ptx.compose.jobs import compose_jobs
from ptx.execute.sweep import run_sweep
from ptx.files import read_json
from ptx.hooks.border import MEMBERS
from ptx.hooks.host import Host
from ptx.plan.planner import make_plan
from ptx.plan.replan import replan
from ptx.report import load_records, make_frame
from ptx.testing import Silent


@dataclass
class Packed(Runtime):
    exports: ClassVar[bool] = True


@dataclass
class Beside(Evaluator):
    compares: ClassVar[bool] = True


class Plugin:
    """A runtime with packages, and an evaluator that notes the baseline and the runtime that it is given."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    @hookimpl
    def ptx_choices(self):
        return [Choice("runtime", "packed", Packed), Choice("eval", "beside", Beside)]

    @hookimpl
    def ptx_export(self, run, runtime, model):
        (run.folder / "package").mkdir()
        (run.folder / "package" / "model.bin").write_bytes((model.path / "model.safetensors").read_bytes())
        return ModelRef.of(run.folder / "package", "package")

    @hookimpl
    def ptx_load(self, runtime, model):
        return (
            type("Opened", (), {**dict.fromkeys(MEMBERS, lambda *_: None), "value": 1.0})()
            if isinstance(runtime, Packed)
            else None
        )

    @hookimpl(tryfirst=True)
    def ptx_evaluate(self, run, evaluator, baseline):
        if not isinstance(evaluator, Beside):
            return None
        self.seen.append((baseline.kind, type(run.of_baseline().config.runtime).__name__))
        return Evaluation([Metric("beside/value", 1.0, "", "higher", 1.0, 1.0, 1)], [])


@pytest.fixture
def plugin() -> Plugin:
    return Plugin()


@pytest.fixture
def host(host_with, toy, plugin) -> Host:
    return host_with(toy=toy, plugin=plugin)


def planned(host, *words, verb="compress"):
    base = [
        "model=./model",
        "eval=[beside]",
        *(["compress=[halve]", "data=./text.jsonl"] if verb == "compress" else []),
    ]
    return make_plan(host, verb, compose_jobs(host, verb, [*base, *words]), "ptx test")


@pytest.mark.parametrize(
    ("words", "baseline", "variant"),
    [
        (["runtime=packed"], ("package", "Packed"), ("package", "Packed")),
        (["runtime=packed", "baseline_runtime=hf"], ("full", "Plain"), ("full", "Plain")),
        (["runtime=hf", "baseline_runtime=packed"], ("package", "Packed"), ("package", "Packed")),
    ],
)
def test_evaluators_get_the_baseline_in_the_form_that_its_runtime_serves(
    host, plugin, desk, words, baseline, variant
):
    plan = planned(host, *words)
    assert run_sweep(plan, host, Silent()).failed == ()
    assert plugin.seen == [baseline, variant]


def test_runs_on_several_runtimes_share_one_baseline(host, desk):
    plan = planned(host, "runtime=[hf,packed]", "baseline_runtime=hf")
    assert [(run.label, type(run.config.runtime).__name__) for run in plan.runs] == [
        ("baseline", "Plain"),
        ("runtime=hf", "Plain"),
        ("runtime=packed", "Packed"),
    ]
    run_sweep(plan, host, Silent())
    rows = make_frame(load_records([plan.folder])).rows
    assert [row.reference.label for row in rows[1:]] == ["baseline", "baseline"]
    assert [row.measured_beside.label for row in rows[1:]] == ["baseline", "baseline"]


def test_a_model_that_is_only_measured_has_a_baseline_too_where_it_is_on_another_runtime(host, desk):
    assert [
        run.baseline for run in planned(host, "runtime=packed", "baseline_runtime=hf", verb="eval").runs
    ] == [True, False]
    assert [run.baseline for run in planned(host, "runtime=packed", verb="eval").runs] == [False]


def test_the_baselines_runtime_is_in_the_key_of_what_compares_with_it_and_in_no_others(host, desk):
    plans = [
        planned(host, "runtime=packed", "eval=[beside,latency]", *words)
        for words in ([], ["baseline_runtime=hf"])
    ]
    keys = [{measure.name: measure.key for measure in plan.runs[-1].evaluations} for plan in plans]
    assert keys[0]["beside"] != keys[1]["beside"]
    assert keys[0]["latency"] == keys[1]["latency"]


def test_a_worker_plans_the_same_run_from_its_record(host, desk):
    plan = planned(host, "runtime=packed", "baseline_runtime=hf")
    run_sweep(plan, host, Silent())
    again = replan(host, read_json(plan.folder / plan.runs[-1].id / "run.json"))
    assert [measure.key for measure in again.evaluations] == [
        measure.key for measure in plan.runs[-1].evaluations
    ]
