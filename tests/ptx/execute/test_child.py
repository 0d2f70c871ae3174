"""The child of a step in a process of its own: what it reports, and the data that it refuses."""

from __future__ import annotations

import json
import sys

import pytest

from ptx.errors import StepError
from ptx.execute.child import RelayedConsole, RelayedRun, main, run_step, send, step_and_data
from ptx.execute.sweep import freeze
from ptx.files import read_json, write_json
from ptx.plan.serialize import thaw
from tests.ptx.execute.conftest import plan_of


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def frozen(folder, host):
    """The record of a run that trains with ``launch=process``, and the folder of it."""
    plan = plan_of("launch=process", "baseline=false", host=host)
    freeze(plan, host)
    record = plan.folder / plan.runs[0].id
    return record, plan.runs[0]


def spec_of(record, run, work):
    model = {"path": str(run.model.path.absolute()), "digest": run.model.digest, "kind": run.model.kind}
    for name in ("folder", "checkpoints"):
        (work / name).mkdir(parents=True)
    return {
        "record": str(record.absolute()),
        "step": "toy",
        "kind": "train",
        "model": model,
        "models": {},
        "made": None,
        "seed": 0,
        "folder": str(work / "folder"),
        "checkpoints": str(work / "checkpoints"),
        "device": "cpu",
        "work": str(work),
    }


def test_a_run_reports_to_its_parent_and_a_silent_rank_reports_nothing(make_run, tmp_path):
    run, path = make_run(), tmp_path / "messages.jsonl"
    fields = (run.config, run.host, run.console, run.folder, run.events, run.checkpoints, 0, "cpu", "sft")
    for messages in (path, None):
        child = RelayedRun(*fields, messages=messages)
        child.log({"loss": 1.0}, 3, 10)
        child.event("note", size=2)
        child.say("hello")
        child.track({"loss": 1.0}, 3)
        RelayedConsole(messages).say("a line")
        RelayedConsole(messages).progress("sft", {}, 1, None)
    assert lines(path) == [
        {"log": [{"loss": 1.0}, 3, 10]},
        {"event": ["note", {"size": 2}]},
        {"say": "hello"},
        {"print": "a line"},
        {"progress": ["sft", {}, 1, None]},
    ]


def test_numbers_of_libraries_are_sent_as_plain_ones(tmp_path):
    class Scalar:
        def __float__(self):
            return 0.5

    send(tmp_path / "messages", log=[{"loss": Scalar()}, 1, None])
    assert lines(tmp_path / "messages") == [{"log": [{"loss": 0.5}, 1, None]}]


def test_the_step_of_a_frozen_run_is_run_with_its_data(folder, host, frozen, tmp_path):
    record, run = frozen
    made = run_step(host, spec_of(record, run, tmp_path / "work"), tmp_path / "messages")
    assert (made.path / "model.safetensors").is_file()
    assert [message["log"][0] for message in lines(tmp_path / "messages") if "log" in message] == [
        {"loss": 1.0},
        {"loss": 0.5},
    ]


def test_data_that_has_changed_since_the_plan_is_refused(folder, host, frozen):
    record, _ = frozen
    content = read_json(record / "run.json")
    config = thaw(content["config"], host)
    assert step_and_data(host, content, config, "toy")[1].rows("text")
    (folder / "text.jsonl").write_text('{"text": "changed"}\n')
    with pytest.raises(StepError, match="has changed since the run was planned; run the command again"):
        step_and_data(host, content, config, "toy")


@pytest.mark.parametrize(("rank", "wrote"), [("0", "made.json"), ("1", None)])
def test_only_rank_0_writes_the_result(folder, host, frozen, tmp_path, monkeypatch, rank, wrote):
    record, run = frozen
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr("ptx.execute.child.get_host", lambda: host)
    monkeypatch.setattr("ptx.execute.child._leave_with_parent", lambda: None)
    work, screen = tmp_path / "work", sys.stdout
    write_json(tmp_path / "spec.json", spec_of(record, run, work))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", screen)  # a silent rank replaces it
        assert main(tmp_path / "spec.json") == 0
        if sys.stdout is not screen:
            sys.stdout.close()
    assert sorted(path.name for path in work.glob("*.json")) == ([wrote] if wrote else [])
    assert bool(lines(work / "messages.jsonl")) == (rank == "0")


def test_an_error_is_left_for_the_parent_with_its_traceback(folder, host, frozen, tmp_path, monkeypatch):
    record, run = frozen
    monkeypatch.setattr("ptx.execute.child.get_host", lambda: host)
    monkeypatch.setattr("ptx.execute.child._leave_with_parent", lambda: None)
    work = tmp_path / "work"
    write_json(tmp_path / "spec.json", spec_of(record, run, work) | {"kind": "nothing"})
    assert main(tmp_path / "spec.json") == 1
    error = read_json(work / "error-0.json")
    assert "Traceback" in error["traceback"]
    assert error["message"]
