"""The step graph: every distinct step once, records whole, failures kept to their run."""

from __future__ import annotations

import json
import shutil

import pytest

from ptx.compose.jobs import compose_jobs
from ptx.errors import ConfigError
from ptx.execute.sweep import run_sweep, write_step_counts
from ptx.files import read_json, read_rows
from ptx.plan.planner import make_plan
from ptx.testing import Silent

BASE = ["model=./model", "data=./text.jsonl", "method=toy", "eval=[latency]"]


def plan_of(host, *words, verb="train", multirun=False):
    return make_plan(host, verb, compose_jobs(host, verb, [*BASE, *words], multirun=multirun), "ptx test")


def run(host, *words, **options):
    plan = plan_of(host, *words, **options)
    return plan, run_sweep(plan, host, Silent())


def result_of(plan, position=-1):
    return read_json(plan.folder / plan.runs[position].id / "result.json")


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
        "load",
        "evaluate Count",
        "train ToyMethod 0.1",
        "compress Halve",
        "load",
        "evaluate Count",
    ]


def test_the_baseline_is_measured_once_for_a_whole_sweep(toy_host, toy, desk):
    plan, _ = run(toy_host, "method=toy,other", multirun=True)
    assert [planned.baseline for planned in plan.runs] == [True, False, False]
    assert toy.calls.count("evaluate Count") == 3


def test_every_distinct_step_of_a_sweep_runs_once(toy_host, toy, desk):
    plan, outcome = run(toy_host, "compress=[],[halve],[halve,round]", "seed=0,1", multirun=True)
    assert outcome.done == 7
    assert len([call for call in toy.calls if call.startswith("train")]) == 2
    assert toy.calls.count("compress Halve") == 2
    assert read_json(plan.folder / "sweep.json")["steps"] == {"asked": 12, "distinct": 6}
    books = write_step_counts(plan)
    assert (books["steps_asked"], books["steps_ran"], books["steps_shared"]) == (12, 6, 6)
    assert (books["evaluations_asked"], books["evaluations_ran"]) == (7, 7)


def test_the_same_command_again_does_nothing(toy_host, toy, desk):
    run(toy_host, "compress=[halve]")
    toy.calls.clear()
    _, outcome = run(toy_host, "compress=[halve]")
    assert (outcome.done, outcome.kept, toy.calls) == (0, 2, [])


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
    assert plan_of(toy_host).runs[1].steps[0].key != plan_of(toy_host, change).runs[1].steps[0].key


@pytest.mark.parametrize(
    "change", ["method.quiet=5", "threads=1", "out=elsewhere", "baseline=true", "eval.latency.scale=2"]
)
def test_what_does_not_decide_a_step_stays_out_of_its_key(toy_host, desk, change):
    assert plan_of(toy_host).runs[1].steps[0].key == plan_of(toy_host, change).runs[1].steps[0].key


def test_changed_data_or_weights_change_the_key(toy_host, desk):
    before = plan_of(toy_host).runs[1].steps[0].key
    (desk / "text.jsonl").write_text(json.dumps({"text": "other"}) + "\n")
    changed = plan_of(toy_host).runs[1].steps[0].key
    weights = desk / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x41")
    assert len({before, changed, plan_of(toy_host).runs[1].steps[0].key}) == 3


def test_a_failing_run_is_recorded_and_the_sweep_goes_on(toy_host, desk):
    plan, outcome = run(toy_host, "method.fail=true,false", multirun=True)
    assert [message for _, message in outcome.failed] == ["told to fail"]
    assert outcome.done == 2
    failed = read_json(plan.folder / outcome.failed[0][0] / "result.json")
    assert failed["status"] == "failed"
    assert "StepError" in failed["error"]["traceback"]


def test_a_failed_run_is_tried_again_by_the_same_command(toy_host, toy, desk):
    run(toy_host, "method.fail=true")
    toy.calls.clear()
    run(toy_host, "method.fail=true")
    assert toy.calls == ["train ToyMethod 0.1"]


def test_an_interrupted_run_says_so_and_ends_the_sweep(toy_host, desk):
    plan, outcome = run(toy_host, "method.args.interrupt=1,0", multirun=True)
    assert outcome.interrupted
    assert result_of(plan, 1)["status"] == "interrupted"
    assert not (plan.folder / plan.runs[2].id / "result.json").exists()


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
        plan_of(toy_host, "data=./pairs.jsonl")
    assert "method=toy needs text" in str(caught.value)
    assert not (desk / "ptx-out").exists()


def test_too_small_a_disk_is_found_before_anything_is_written(toy_host, desk, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))
    with pytest.raises(ConfigError, match="has 0 MB free"):
        plan_of(toy_host)
    assert not (desk / "ptx-out").exists()


def test_an_evaluator_without_tasks_is_left_out_by_default_and_an_error_when_asked_for(toy_host, desk):
    words = BASE[:3]
    plan = make_plan(toy_host, "train", compose_jobs(toy_host, "train", words), "ptx test")
    assert [measure.name for measure in plan.runs[1].evaluations] == ["latency"]
    assert "eval.bench is left out" in plan.notes[0]
    with pytest.raises(ConfigError, match=r"eval.bench has no tasks"):
        make_plan(toy_host, "train", compose_jobs(toy_host, "train", [*words, "eval=[bench]"]), "ptx test")


def test_all_problems_of_all_jobs_are_reported_together(toy_host, desk):
    with pytest.raises(ConfigError) as caught:
        plan_of(toy_host, "model=./none,./model", "data=./lost.jsonl", multirun=True)
    text = str(caught.value)
    assert "none" in text
    assert "lost.jsonl" in text
