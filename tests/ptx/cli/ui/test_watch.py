"""What the page shows of a sweep, from its files alone."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from ptx.cli.ui.watch import Watch
from ptx.files import write_json
from ptx.store.locks import held
from tests.ptx.cli.ui.conftest import begin, fail, log


@pytest.fixture
def watch(root):
    """The sweep while a process (this one) executes it."""
    folder = root / "runs" / "first"
    with held(folder / "sweep.lock"):
        made = Watch(folder, frozenset({"latency"}))
        made.look()
        yield made


def shown(watch):
    watch.look()
    return watch.shown()


def test_a_sweep_is_running_while_a_process_holds_its_lock(watch):
    found = shown(watch)
    assert (found["alive"], found["here"]) == (True, True)
    assert found["counts"] == {"runs": 4, "done": 2, "running": 1, "left": 1}
    assert found["running"][0]["label"] == "method=dpo"
    assert found["running"][0]["parts"] == [["dpo", False, True], ["quiz", False, False]]
    assert found["rest"] == {"unknown": ["dpo", "quiz"]} or "unknown" in found["rest"]


def test_a_run_whose_process_was_killed_does_not_count_as_running(root):
    watch = Watch(root / "runs" / "first")
    found = shown(watch)
    assert not found["alive"]
    assert found["counts"] == {"runs": 4, "done": 2, "left": 2}
    assert found["running"] == []


def test_a_run_that_began_before_its_record_was_begun_anew_is_not_running(watch):
    begin(watch.folder / "kto")
    later = datetime.fromtimestamp(time.time() + 60, UTC).isoformat(timespec="seconds")
    begin(watch.folder / "kto", created=later)
    assert [one["run"] for one in shown(watch)["running"]] == ["dpo"]


def test_progress_curves_and_messages_come_as_they_are_written(watch):
    dpo = watch.folder / "dpo"
    log(dpo, "log", label="dpo", step=1, total=4, metrics={"loss": 0.7, "eta_seconds": 30})
    log(dpo, "log", label="dpo", step=2, total=4, metrics={"loss": 0.6, "eta_seconds": 20})
    log(dpo, "message", label="dpo", text="hello")
    one = shown(watch)["running"][0]
    assert (one["at"], one["of"], one["left"], one["metrics"]) == (2, 4, 20, [["loss", 0.6]])
    assert watch.points() == {"dpo": ("dpo", {"loss": [[1.0, 0.7], [2.0, 0.6]]})}
    assert watch.points() == {}
    assert watch.all_points()["dpo"][1]["loss"][-1] == [2.0, 0.6]
    assert watch.said[-1][1:] == ["method=dpo", "dpo: hello"]


def test_a_failure_has_its_reason_and_a_new_version_and_a_retry_begins_again(watch):
    before = shown(watch)["version"]
    log(watch.folder / "dpo", "run_finished", status="failed")
    fail(watch.folder / "dpo")
    found = shown(watch)
    assert found["failed"] == [["dpo", "method=dpo", "StepError: no memory"]]
    assert found["version"] == before + 1
    assert watch.curves == {}
    (watch.folder / "dpo" / "result.json").unlink()
    begin(watch.folder / "dpo", created=datetime.now(UTC).isoformat(timespec="seconds"))
    found = shown(watch)
    assert (found["failed"], found["counts"].get("running")) == ([], 1)


def test_the_time_that_is_left_is_known_when_each_kind_has_ended_once(watch):
    for name, key in (("dpo", "dpo-1"), ("quiz", "dpo-2")):
        log(watch.folder / "dpo", "step_started", step=name, key=key)
        log(watch.folder / "dpo", "step_finished", step=name, key=key, shared=False, seconds=60.0)
    begin(watch.folder / "kto", "dpo")
    ends = shown(watch)["rest"]["ends"]
    assert 40 < ends - time.time() < 70  # the two runs side by side


def test_what_a_killed_command_measured_and_what_the_new_one_expects_count_for_the_time_that_is_left(watch):
    dpo = watch.folder / "dpo"
    log(dpo, "step_finished", step="dpo", key="dpo-1", shared=False, seconds=60.0)
    later = datetime.fromtimestamp(time.time() + 60, UTC).isoformat(timespec="seconds")
    begin(dpo, "dpo", created=later)  # the process was killed; the next one begins the run again
    begin(watch.folder / "kto", "dpo", created=later)
    write_json(watch.folder / "expected.json", {"dpo-2": 7.0, "kto-1": 1e6, "kto-2": 7.0, "dpo-1": "long"})
    ends = shown(watch)["rest"]["ends"]
    assert ends - time.time() == pytest.approx(60 + 60 + 7 + 7, abs=6)  # rounded to 5 s; nothing runs yet


def test_a_run_on_a_cluster_counts_while_it_says_something(root):
    folder = root / "runs" / "first"
    begin(folder / "dpo", config={"cluster": {"choice": "slurm"}})
    watch = Watch(folder)
    assert shown(watch)["alive"]
    watch._last -= 3600
    assert not watch.alive


ODD = [None, 7, "x", [], {}, [[]], {"a": {}}, True, 1e300]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_values_of_the_wrong_kind_in_any_field_are_no_crash(watch, odd):
    folder = watch.folder / "dpo"
    for field in ("id", "label", "created", "steps", "evaluations", "config", "model", "sweep", "varied"):
        begin(folder, **{field: odd})
        shown(watch)
    for field in (
        "step",
        "key",
        "time",
        "metrics",
        "total",
        "label",
        "what",
        "text",
        "seconds",
        "shared",
        "status",
    ):
        for event in ("step_started", "log", "progress", "message", "step_finished", "run_finished"):
            log(folder, event, **{"step": 1, field: odd})
    shown(watch)
    for field in ("status", "steps", "evaluations", "error", "metrics"):
        write_json(folder / "result.json", {"status": "done", field: odd})
        shown(watch)
    write_json(watch.folder / "sweep.json", {"runs": ["dpo"], "command": odd, "created": odd, "name": odd})
    shown(watch)
    assert watch.all_points() is not None
