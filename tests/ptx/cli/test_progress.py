"""The state of runs from their events alone, whoever executes them."""

from __future__ import annotations

import time

import pytest

from ptx.cli.journal import Journal
from ptx.cli.progress import Part, Progress, RunState
from ptx.files import append_event

PARTS = (
    Part("dpo", "k1", "dpo", step=True),
    Part("small", "k2", "gptq", step=True),
    Part("latency", "k3", "latency", step=False, timed=True),
)


@pytest.fixture
def watched(tmp_path):
    """Two runs of the same shape that share their training, and their progress."""
    runs = [RunState(name, name, PARTS, Journal(tmp_path / name / "events.jsonl")) for name in ("a", "b")]
    for run in runs:
        run.journal.path.parent.mkdir()
    return Progress(runs, None)


def happens(progress, place, event, **fields):
    append_event(progress.runs[place].journal.path, event, **fields)
    progress.read()


def test_a_run_is_running_from_its_start_to_its_end(watched):
    happens(watched, 0, "run_started")
    happens(watched, 0, "step_started", step="dpo", key="k1")
    assert [run.id for run in watched.running_runs()] == ["a"]
    assert watched.runs[0].at["name"] == "dpo"
    happens(watched, 0, "log", step=3, total=10, metrics={"loss": 1.0})
    assert watched.runs[0].progress["step"] == 3
    happens(watched, 0, "run_finished", status="failed")
    assert (watched.counts().failed, watched.counts().left) == (1, 1)


def test_what_the_store_holds_is_not_waited_for(watched):
    watched.expected = {"k1": 10.0, "k2": 20.0, "k3": 5.0}
    assert watched.seconds_left() == (35.0, [])
    watched.stored = {"k1", "k2"}
    assert watched.seconds_left() == (5.0, [])


def test_timings_are_not_divided_among_workers(watched):
    watched.expected, watched.parallel = {"k1": 10.0, "k2": 20.0, "k3": 5.0}, 2
    assert watched.seconds_left() == (20.0, [])


def test_events_with_fields_of_the_wrong_kind_are_no_crash(watched):
    odd = (
        {},
        {"step": 3, "key": ["x"]},
        {"metrics": 7},
        {"seconds": "long"},
        {"seconds": 1e400},
        {"time": None},
    )
    for name in ("run_started", "step_started", "step_finished", "log", "run_finished", "run_prepared"):
        for fields in odd:
            watched.apply(watched.runs[0], {"event": name, **fields})
            watched.counts()
            watched.seconds_left()


def test_an_estimate_of_the_step_itself_counts_more_than_the_usual_time(watched):
    watched.expected = {"k1": 100.0, "k2": 1.0, "k3": 1.0}
    happens(watched, 0, "run_started")
    happens(watched, 0, "step_started", step="dpo", key="k1")
    watched.runs[0].at["since"] = time.time() - 40
    assert watched.seconds_left()[0] == pytest.approx(62, abs=1)
    happens(watched, 0, "log", step=1, total=2, metrics={"eta_seconds": 7})
    assert watched.seconds_left()[0] == pytest.approx(9)


def test_what_an_earlier_step_of_a_kind_took_counts_more_than_what_was_expected(watched):
    watched.expected = {"k1": 100.0, "k2": 1.0, "k3": 1.0}
    watched.took(watched.runs[0], {"key": "k1", "seconds": 30.0})
    watched.took(watched.runs[1], {"key": "k1", "seconds": 30.0})  # the same step, shared: it counts once
    watched.took(watched.runs[0], {"key": "a step of another plan", "seconds": 9.0})
    assert watched.seconds == {(True, "dpo"): {"k1": 30.0}}
    assert watched.seconds_left() == (32.0, [])


def test_a_step_and_an_evaluation_of_the_same_name_do_not_tell_each_others_time(tmp_path):
    parts = (Part("reward", "k1", "reward", step=True), Part("reward", "k2", "reward", step=False))
    runs = [RunState(name, name, parts, Journal(tmp_path / f"{name}.jsonl")) for name in ("a", "b")]
    progress = Progress(runs, None)
    progress.took(runs[0], {"key": "k1", "seconds": 900.0})
    assert progress.seconds_left() == (900.0, ["reward"])  # the evaluation is not known
