"""Weights & Biases, really offline: what lands in the run's file, and that nothing it does stops a run."""

import json
import os
import signal
import time
from types import SimpleNamespace

import pluggy
import pytest
import wandb

import ptx_wandb
from ptx import Run, RunConfig, hookimpl
from ptx.files import read_rows
from ptx.hooks import hookspecs
from ptx.hooks.host import Host
from ptx_wandb import Wandb, track
from tests.plugins.conftest import Screen

RESULT = {
    "status": "done",
    "seconds": 3.5,
    "steps": [
        {
            "name": "sft",
            "kind": "train",
            "key": "k1",
            "shared": False,
            "seconds": 2.0,
            "bytes": 7,
            "metrics": {},
        }
    ],
    "model": {"path": "x", "digest": "d", "kind": "full", "bytes": 7, "runtime": "hf"},
    "metrics": [
        {
            "evaluator": "bench",
            "name": "acc",
            "segment": "",
            "value": 0.5,
            "low": 0.4,
            "high": 0.6,
            "n": 80,
            "unit": "",
            "better": "higher",
        },
        {
            "evaluator": "bench",
            "name": "acc",
            "segment": "skill=add",
            "value": 0.7,
            "low": 0.6,
            "high": 0.8,
            "n": 8,
            "unit": "",
            "better": "higher",
        },
    ],
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run under the real plugin manager, with wandb kept away from any account."""
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    manager = pluggy.PluginManager("ptx")
    manager.add_hookspecs(hookspecs)
    manager.register(ptx_wandb)
    step = SimpleNamespace(name="sft", kind="train", key="k1")
    plan = SimpleNamespace(id="r1", label="method=sft", sweep="grid", verb="train", steps=[step])
    config = RunConfig(tracker={"wandb": Wandb(mode="offline")}, out=str(tmp_path / "out"))
    record = tmp_path / "record"
    record.mkdir()
    return Run(
        config,
        Host(manager),
        Screen(),
        record,
        record / "events.jsonl",
        record,
        0,
        "cpu",
        plan=plan,
        record=record,
    )


def answered(run, work):
    """Let the core be ``work``, and execute the run."""

    class Core:
        @hookimpl(trylast=True)
        def ptx_run(self, run):
            return work(run)

    run.host.manager.register(Core())
    return run.host.hook.ptx_run(run=run)


def train(run):
    for step in range(1, 4):
        run.at(label="sft").log({"loss": 1.0 / step}, step, 3)
    return RESULT


def kept(run, last):
    """The offline run's file once ``last`` stands in it: finish() may return some 50 ms before wandb's
    service has written it.
    """
    (file,) = (run.record.parent / "out" / "wandb").glob("offline-run-*/*.wandb")
    deadline = time.monotonic() + 120
    while last not in file.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.02)
    return file.read_bytes()


def test_offline_a_run_leaves_config_lineage_curves_and_summary(run):
    assert answered(run, train) is RESULT
    written = kept(run, b"bench/acc/skill=add")
    for text in (
        b"grid",
        b"method=sft",
        b"train",
        b"k1",
        b"sft/loss",
        b"sft/step",
        b"bench/acc/low",
        b"bench/acc/skill=add",
        b"model/bytes",
    ):
        assert text in written, text
    assert run.console.lines == []


def test_all_that_was_logged_is_in_the_record_of_a_run_that_was_killed(run, tmp_path):
    """Of 100 calls wandb keeps none when its process is killed right after them."""
    ready, go = tmp_path / "ready", os.fork()
    if go == 0:

        def killed(run):
            for step in range(100):
                run.at(label="sft").log({"loss": 1.0 / (step + 1)}, step, 100)
            ready.touch()
            os.kill(os.getpid(), signal.SIGKILL)

        answered(run, killed)
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(go, 0)[1]) == signal.SIGKILL
    assert ready.exists()
    losses = [
        event["metrics"]["loss"]
        for event in read_rows(run.record / "events.jsonl")
        if event["event"] == "log"
    ]
    assert losses == [1.0 / (step + 1) for step in range(100)]


def test_a_run_that_is_interrupted_is_closed_as_failed_and_the_interrupt_goes_on(run, monkeypatch):
    codes = []
    finish = wandb.sdk.wandb_run.Run.finish
    monkeypatch.setattr(
        wandb.sdk.wandb_run.Run,
        "finish",
        lambda self, exit_code=None: (codes.append(exit_code), finish(self, exit_code))[1],
    )

    def interrupted(run):
        run.log({"loss": 1.0}, 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answered(run, interrupted)
    assert codes == [1]


class Refusing:
    """A tracker of which every call fails."""

    def __getattr__(self, name):
        raise RuntimeError(f"wandb is down at {name}")


def test_a_tracker_that_cannot_start_is_named_and_the_run_goes_on(run, monkeypatch):
    def down(**_):
        raise RuntimeError("wandb is down\nfor good")

    monkeypatch.setattr(wandb, "init", down)
    assert answered(run, train) is RESULT
    assert run.console.lines == [
        "wandb could not start, the run goes on without it: RuntimeError: wandb is down"
    ]


def test_a_tracker_that_fails_later_is_named_once_and_the_run_goes_on(run, monkeypatch):
    monkeypatch.setattr(wandb, "init", lambda **_: Refusing())
    assert answered(run, train) is RESULT
    assert [line.partition(": ")[2] for line in run.console.lines[:1]] == [
        "tracker failed: RuntimeError: wandb is down at define_metric"
    ]
    assert len(run.console.lines) == 2
    assert run.console.lines[1] == "wandb could not finish: RuntimeError: wandb is down at summary"


def test_auto_goes_offline_when_the_service_cannot_be_reached(run, monkeypatch):
    asked = []

    def init(*, mode, **_):
        asked.append(mode)
        raise RuntimeError("no route")

    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.setattr(wandb, "login", lambda **_: True)
    run.config.tracker["wandb"] = Wandb()
    assert answered(run, train) is RESULT
    assert asked == ["online", "offline"]
    assert run.console.lines[0] == "wandb cannot be reached (RuntimeError: no route); tracking offline"


def test_auto_is_offline_without_an_account_and_what_wandb_mode_says_otherwise(run, monkeypatch):
    assert track.mode_of("auto") == "offline"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert track.mode_of("auto") == "disabled"
    assert track.mode_of("online") == "online"


def test_without_the_tracker_nothing_happens(run, monkeypatch):
    monkeypatch.setattr(wandb, "init", lambda **_: pytest.fail("wandb was opened"))
    run.config.tracker.clear()
    assert answered(run, train) is RESULT


def test_the_summary_is_flat_and_holds_every_metric_with_its_interval():
    summary = track.summary_of(RESULT)
    assert summary["bench/acc"] == 0.5
    assert summary["bench/acc/skill=add/n"] == 8
    assert summary["steps/sft/key"] == "k1"
    assert json.loads(json.dumps(summary)) == summary


def test_an_unknown_mode_is_refused_with_what_to_type():
    with pytest.raises(
        ValueError,
        match=r"tracker\.wandb\.mode must be one of auto, .* got 'onlin'; try tracker\.wandb\.mode=offline",
    ):
        Wandb(mode="onlin")
