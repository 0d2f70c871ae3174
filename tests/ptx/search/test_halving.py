"""Early stopping: a trial that lags at a rung is stopped, and only comparable curves are compared."""

from __future__ import annotations

import math
import statistics

import pytest

from ptx.errors import StoppedError
from ptx.files import read_json, read_rows
from ptx.search.config import Halving
from ptx.search.halving import HalvingConsole, lags, rung_steps, rungs_of
from ptx.testing import Silent
from tests.ptx.search.conftest import FIXED, search, value

pytest.importorskip("optuna")


def test_a_rung_keeps_the_best_share_and_judges_nobody_alone():
    rule = Halving("loss", factor=3)
    assert rung_steps(Halving("loss", first=2, factor=3), 20) == [2, 6, 18]
    assert not lags(rule, 9.0, [1.0])
    assert lags(rule, 9.0, [1.0, 2.0])
    assert not lags(rule, 0.5, [1.0, 2.0])
    assert not lags(rule, 1.0, [1.0, 2.0])
    assert lags(rule, math.nan, [1.0, 2.0])
    assert lags(Halving("accuracy", goal="maximize", factor=2), 0.1, [0.5])


def test_the_value_at_a_rung_is_the_first_one_at_or_after_it():
    events = [
        {"event": "log", "label": "dpo", "step": step, "metrics": {"loss": 1 / step}} for step in (2, 4, 8)
    ]
    assert rungs_of(Halving("loss", first=3, factor=2), events, ["dpo"]) == {"dpo": {"3": 0.25, "6": 0.125}}


def test_trials_that_lag_are_stopped_and_leave_nothing_in_the_store(host, desk):
    rule = {"metric": "loss", "first": 1, "factor": 3}
    outcome = search(host, sampler="random", trials=15, early_stopping=rule).run()
    stopped = [trial for trial in outcome.trials if trial["state"] == "stopped"]
    assert 4 < len(stopped) < 15
    folder = desk / "ptx-out" / "runs" / "study"
    steps = sum(
        event["event"] == "log" for run in folder.iterdir() for event in read_rows(run / "events.jsonl")
    )
    assert steps < 15 * 9 * 0.6
    assert "not among the best 1/3 of the" in stopped[0]["reason"]
    assert read_json(folder / stopped[0]["runs"][-1] / "result.json")["status"] == "stopped"
    finished = [value(trial) for trial in outcome.trials if trial["state"] == "done"]
    assert len(list((desk / "ptx-out" / "store" / "steps").iterdir())) == len(finished)
    assert not list((desk / "ptx-out" / "store").glob("staging/*/*"))
    assert not [path for path in (desk / "ptx-out" / "store").glob("locks/**/*") if path.is_file()]
    x = [float(trial["words"]["method.x"]) for trial in stopped]
    assert statistics.mean(abs(value - 0.3) for value in x) > 0.2


def test_curves_of_different_methods_are_not_compared(host, desk):
    space = {
        "method": "choice(bowl, flat)",
        "method.x": "interval(0, 1)",
        "method.level": "interval(0.2, 0.4)",
    }
    outcome = search(
        host,
        fixed=[word for word in FIXED if word != "method=bowl"],
        space=space,
        trials=12,
        early_stopping={"metric": "loss"},
    ).run()
    flat = [trial for trial in outcome.trials if trial["words"]["method"] == "flat"]
    assert flat
    assert all(trial["state"] == "done" for trial in flat)
    assert all("method.x" not in trial["words"] for trial in flat)


def test_a_lagging_step_is_stopped_at_a_rung_and_shown_up_to_it():
    inner = Silent()
    earlier = [{"dpo": {"2": 0.1}}, {"dpo": {"2": 0.2}}]
    console = HalvingConsole(inner, Halving("loss", first=2, factor=3), earlier, {"dpo"})
    console.progress("dpo", {"loss": 9.0}, 1, 10)
    console.progress("sft", {"loss": 9.0}, 2, 10)  # another step's rungs are not compared
    with pytest.raises(StoppedError, match="loss 9 at step 2, not among the best 1/3 of the 3 trials"):
        console.progress("dpo", {"loss": 9.0}, 2, 10)
    assert inner.steps == [(1, {"loss": 9.0}), (2, {"loss": 9.0}), (2, {"loss": 9.0})]


def test_a_step_at_its_end_is_not_stopped_any_more():
    console = HalvingConsole(Silent(), Halving("loss"), [{"dpo": {"1": 0.1}}, {"dpo": {"1": 0.2}}], {"dpo"})
    console.progress("dpo", {"loss": 9.0}, 4, 4)
