"""Sweeps: every run has its record, a failure stays in its run, and the same command continues."""

from __future__ import annotations

import errno
import threading
import time

import pytest

from ptx.execute import sweep
from ptx.execute.sweep import (
    damage_of,
    error_message,
    error_record,
    freeze,
    run_sweep,
    status_of,
    sweep_lock,
    write_step_counts,
)
from ptx.files import read_json, write_json
from ptx.testing import Silent
from tests.ptx.execute.conftest import result_of, run, toy_plan


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


def test_a_model_that_an_earlier_command_made_is_not_measured_again(toy_host, toy, desk):
    plan, _ = run(toy_host, "compress=[halve]")
    made = plan.runs[-1]
    toy.calls.clear()
    later, outcome = run(toy_host, "method=null", f"model={plan.folder / made.id / 'model'}", "name=later")
    assert (outcome.done, toy.calls) == (1, [])
    assert [one.key for one in later.runs[0].evaluations] == [one.key for one in made.evaluations]
    assert result_of(later)["metrics"] == result_of(plan)["metrics"]


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


def test_the_record_of_a_run_is_frozen_before_its_first_step(toy_host, desk):
    plan = toy_plan(toy_host)
    todo = freeze(plan, toy_host)
    assert {planned.id for planned in todo.pending} == {planned.id for planned in plan.runs}
    record = read_json(plan.folder / plan.runs[1].id / "run.json")
    assert (record["label"], record["seed"], record["baseline"]) == (plan.runs[1].label, 0, False)
    assert [step["key"] for step in record["steps"]] == [plan.runs[1].steps[0].key]
    assert status_of(plan.folder / plan.runs[1].id) == "unfinished"


def test_the_first_run_trains_before_the_baseline_is_measured(toy_host, desk):
    plan = toy_plan(toy_host, "method=toy,other", multirun=True)
    assert [planned.baseline for planned in plan.runs] == [True, False, False]
    assert [planned.baseline for planned in freeze(plan, toy_host).pending] == [False, True, False]


def test_failed_runs_are_left_when_they_are_not_to_be_tried_again(toy_host, toy, desk):
    plan, _ = run(toy_host, "method.fail=true,false", multirun=True)
    failed = plan.runs[1].id
    todo = freeze(plan, toy_host, retry_failed=False)
    assert (todo.pending, todo.kept, todo.left) == ([], 2, ((failed, "told to fail"),))
    assert [planned.id for planned in freeze(plan, toy_host).pending] == [failed]


def test_fail_fast_does_not_start_the_later_runs(toy_host, desk):
    plan = toy_plan(toy_host, "method.fail=true,false", multirun=True)
    outcome = run_sweep(plan, toy_host, Silent(), fail_fast=True)
    assert (outcome.done, len(outcome.failed)) == (0, 1)
    assert not (plan.folder / plan.runs[0].id / "result.json").exists()
    assert not (plan.folder / plan.runs[2].id / "result.json").exists()


def test_a_second_command_waits_for_the_first_and_names_it(toy_host, desk):
    plan, console = toy_plan(toy_host), Silent()
    order = []

    def second():
        with sweep_lock(plan, console):
            order.append("second")

    with sweep_lock(plan, Silent()):
        thread = threading.Thread(target=second, daemon=True)
        thread.start()
        while not console.said and thread.is_alive():
            thread.join(0.01)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]
    assert console.said[0].startswith("waiting for process ")
    assert console.said[0].endswith(", which is running this sweep")


@pytest.mark.parametrize(("name", "content"), [("result.json", "{"), ("run.json", "[]")])
def test_a_damaged_record_counts_as_unfinished(toy_host, desk, name, content):
    plan, _ = run(toy_host)
    folder = plan.folder / plan.runs[1].id
    assert (status_of(folder), damage_of(folder), error_message(folder)) == ("done", "", "")
    (folder / name).write_text(content)
    assert status_of(folder) == "unfinished"
    assert damage_of(folder).startswith(f"{name} is damaged")


def test_a_full_disk_is_explained_also_where_a_library_has_wrapped_the_error():
    wrapped = RuntimeError(f"writing failed: {OSError(errno.ENOSPC, 'No space left on device')}")
    assert error_record(wrapped)["message"] == (
        "no space left on the disk (while writing); free some space or use out=/another/disk/ptx-out"
    )
    assert error_record(ValueError("plain"))["message"] == "plain"


def test_a_run_whose_record_cannot_be_written_has_failed(tmp_path, monkeypatch):
    def full(path, _):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(sweep, "write_json", full)
    result = sweep.write_result(tmp_path, {"status": "done", "error": None}, 0.0)
    assert result["status"] == "failed"
    assert "result.json cannot be written: no space left on the disk" in result["error"]["message"]


@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_the_seconds_of_a_run_are_right_where_the_clock_is_set_meanwhile(toy_host, desk, monkeypatch, jump):
    real, jumped = time.time, sweep.attempt

    def attempt(*given):
        monkeypatch.setattr(time, "time", lambda: real() + jump)
        return jumped(*given)

    monkeypatch.setattr(sweep, "attempt", attempt)
    plan, outcome = run(toy_host)
    assert outcome.done == len(plan.runs)
    assert all(0 < result_of(plan, position)["seconds"] < 60 for position in range(len(plan.runs)))
    assert sweep.write_result(desk, {"status": "failed"}, real() + 1e6)["seconds"] == 0.0


def test_the_counts_leave_out_runs_that_are_not_done(toy_host, desk):
    plan, _ = run(toy_host, "seed=0,1", multirun=True)
    result = plan.folder / plan.runs[2].id / "result.json"
    write_json(result, read_json(result) | {"status": "failed"})
    counts = write_step_counts(plan)
    assert (counts["steps_asked"], counts["steps_ran"], counts["evaluations_asked"]) == (1, 1, 2)
    assert read_json(plan.folder / "sweep.json")["books"] == counts
