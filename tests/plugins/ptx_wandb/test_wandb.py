"""Weights & Biases, really offline: what lands in the run's file, and that nothing it does stops a run."""

import os
import signal
import time

import pytest
import wandb

from ptx.files import read_rows
from ptx.testing import check_plugin
from ptx_wandb import Wandb
from tests.plugins.trackers import RESULT, carried_out, train


def kept(run, last):
    """The bytes of the offline run's file, once ``last`` is among them.

    finish() may return some 50 ms before wandb's service has written the file.
    """
    (file,) = (run.record.parent / "out" / "wandb").glob("offline-run-*/*.wandb")
    deadline = time.monotonic() + 120
    while last not in file.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.02)
    return file.read_bytes()


def test_offline_a_run_leaves_config_lineage_curves_and_summary(run):
    assert carried_out(run, train) is RESULT
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

        carried_out(run, killed)
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
        carried_out(run, interrupted)
    assert codes == [1]


class Refusing:
    """A tracker of which every call fails."""

    def __getattr__(self, name):
        raise RuntimeError(f"wandb is down at {name}")


def test_a_tracker_that_cannot_start_is_named_and_the_run_goes_on(run, monkeypatch):
    def down(**_):
        raise RuntimeError("wandb is down\nfor good")

    monkeypatch.setattr(wandb, "init", down)
    assert carried_out(run, train) is RESULT
    assert run.console.lines == [
        "wandb could not start, the run continues without it: RuntimeError: wandb is down"
    ]


def test_a_tracker_that_fails_later_is_named_once_and_the_run_goes_on(run, monkeypatch):
    monkeypatch.setattr(wandb, "init", lambda **_: Refusing())
    assert carried_out(run, train) is RESULT
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
    assert carried_out(run, train) is RESULT
    assert asked == ["online", "offline"]
    assert run.console.lines[0] == "wandb cannot be reached (RuntimeError: no route); tracking offline"


def test_without_the_tracker_nothing_happens(run, monkeypatch):
    monkeypatch.setattr(wandb, "init", lambda **_: pytest.fail("wandb was opened"))
    run.config.tracker.clear()
    assert carried_out(run, train) is RESULT


def test_an_unknown_mode_is_refused_with_what_to_type():
    with pytest.raises(
        ValueError,
        match=r"tracker\.wandb\.mode must be one of auto, .* got 'onlin'; try tracker\.wandb\.mode=offline",
    ):
        Wandb(mode="onlin")


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_wandb")
