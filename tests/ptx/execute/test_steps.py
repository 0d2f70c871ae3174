"""The step graph: every distinct step once, records whole, failures kept to their run."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import ClassVar

import pytest

from ptx import Choice, Evaluation, Evaluator, hookimpl
from ptx.compose.jobs import compose_jobs
from ptx.errors import ConfigError
from ptx.files import read_json, read_rows
from ptx.plan.planner import make_plan
from tests.conftest import make_host
from tests.ptx.execute.conftest import TOY, result_of, run, toy_plan


def test_a_run_trains_compresses_measures_and_leaves_the_record(toy_host, toy, desk):
    plan, outcome = run(toy_host, "compress=[halve]")
    assert (outcome.done, outcome.failed) == (2, ())
    folder = plan.folder / plan.runs[1].id
    result = read_json(folder / "result.json")
    assert [step["name"] for step in result["steps"]] == ["toy", "halve"]
    assert result["metrics"][0]["value"] == pytest.approx(0.55)
    assert len(list(read_rows(folder / "evaluations" / "latency.jsonl"))) == 3
    assert read_json(folder / "run.json")["config"]["method"]["choice"] == "method=toy"
    assert (folder / "model" / "config.json").exists()
    assert toy.calls == [
        "train ToyMethod 0.1",
        "compress Halve",
        "load",
        "evaluate Count",
        "load",  # the baseline comes after the first run that trains
        "evaluate Count",
    ]


def test_the_baseline_is_measured_once_for_a_whole_sweep(toy_host, toy, desk):
    plan, _ = run(toy_host, "method=toy,other", multirun=True)
    assert [planned.baseline for planned in plan.runs] == [True, False, False]
    assert toy.calls.count("evaluate Count") == 3


@dataclass
class Comparing(Evaluator):
    compares: ClassVar[bool] = True


@dataclass
class Nearness(Comparing):
    pass


class Comparisons:
    """Two evaluators that open the model to compare with."""

    @hookimpl
    def ptx_choices(self):
        return [Choice("eval", "comparing", Comparing, "x"), Choice("eval", "nearness", Nearness, "y")]

    @hookimpl(tryfirst=True)
    def ptx_evaluate(self, run, evaluator, lm, baseline):
        if not isinstance(evaluator, Comparing):
            return None
        with run.lend(baseline) as other:
            gap = abs(lm.value - other.value)
        return Evaluation([], [{"item": "0", "scores": {}, "segments": {}, "gap": gap}])


def test_all_evaluators_share_one_opened_artifact_and_one_opened_original(toy, desk):
    host = make_host(toy=toy, comparisons=Comparisons())
    plan, _ = run(host, "eval=[comparing,nearness,latency]", "baseline=false")
    assert result_of(plan)["evaluations"]
    assert toy.calls.count("load") == 2


def test_another_sweep_shares_the_steps_that_it_has_in_common(toy_host, toy, desk):
    run(toy_host)
    toy.calls.clear()
    plan, _ = run(toy_host, "compress=[round]")
    assert [call for call in toy.calls if call.startswith("train")] == []
    assert [step["shared"] for step in result_of(plan)["steps"]] == [True, False]
    logged = [
        event
        for event in read_rows(plan.folder / plan.runs[1].id / "events.jsonl")
        if event["event"] == "log"
    ]
    assert [event["metrics"]["loss"] for event in logged] == [1.0, 0.5]


@pytest.mark.parametrize("change", ["method.rate=0.2", "seed=1", "method.args.x=1"])
def test_what_decides_the_result_changes_the_key(toy_host, desk, change):
    assert toy_plan(toy_host).runs[1].steps[0].key != toy_plan(toy_host, change).runs[1].steps[0].key


@pytest.mark.parametrize(
    "change", ["method.quiet=5", "threads=1", "out=elsewhere", "baseline=true", "eval.latency.scale=2"]
)
def test_what_does_not_decide_a_step_stays_out_of_its_key(toy_host, desk, change):
    assert toy_plan(toy_host).runs[1].steps[0].key == toy_plan(toy_host, change).runs[1].steps[0].key


def test_changed_data_or_weights_change_the_key(toy_host, desk):
    before = toy_plan(toy_host).runs[1].steps[0].key
    (desk / "text.jsonl").write_text(json.dumps({"text": "other"}) + "\n")
    changed = toy_plan(toy_host).runs[1].steps[0].key
    weights = desk / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x41")
    assert len({before, changed, toy_plan(toy_host).runs[1].steps[0].key}) == 3


def test_a_truncated_model_in_the_store_is_set_aside_and_made_again(toy_host, toy, desk):
    plan, _ = run(toy_host)
    weights = next((desk / "ptx-out" / "store" / "steps").rglob("model.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-2])
    shutil.rmtree(plan.folder)
    toy.calls.clear()
    _, outcome = run(toy_host)
    assert outcome.done == 2
    assert toy.calls == ["train ToyMethod 0.1"]
    assert list((desk / "ptx-out" / "store" / "quarantine").iterdir())


def test_a_step_that_returns_a_folder_outside_of_its_own_is_refused(toy_host, desk):
    _, outcome = run(toy_host, "method.args.stray=1")
    assert "outside of run.folder" in outcome.failed[0][1]


def test_data_of_the_wrong_shape_is_refused_before_anything_is_written(toy_host, desk):
    (desk / "pairs.jsonl").write_text(json.dumps({"prompt": "a", "chosen": "b", "rejected": "c"}) + "\n")
    with pytest.raises(ConfigError) as caught:
        toy_plan(toy_host, "data=./pairs.jsonl")
    assert "method=toy needs text" in str(caught.value)
    assert not (desk / "ptx-out").exists()


def test_too_small_a_disk_is_found_before_anything_is_written(toy_host, desk, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))
    with pytest.raises(ConfigError, match="has 0 MB free"):
        toy_plan(toy_host)
    assert not (desk / "ptx-out").exists()


def test_an_evaluator_without_tasks_is_left_out_by_default_and_an_error_when_asked_for(toy_host, desk):
    words = TOY[:3]
    plan = make_plan(toy_host, "train", compose_jobs(toy_host, "train", words), "ptx test")
    assert [measure.name for measure in plan.runs[1].evaluations] == ["latency"]
    assert "eval.bench is left out" in plan.notes[0]
    with pytest.raises(ConfigError, match=r"eval.bench has no tasks"):
        make_plan(toy_host, "train", compose_jobs(toy_host, "train", [*words, "eval=[bench]"]), "ptx test")


def test_all_problems_of_all_jobs_are_reported_together(toy_host, desk):
    with pytest.raises(ConfigError) as caught:
        toy_plan(toy_host, "model=./none,./model", "data=./lost.jsonl", multirun=True)
    text = str(caught.value)
    assert "none" in text
    assert "lost.jsonl" in text
