"""A trial: ordinary runs, one for each seed, whose metrics give the objectives or the reason of a failure."""

from __future__ import annotations

import pytest

from ptx.files import read_json
from ptx.search.trial import line_of, title_of
from tests.ptx.search.conftest import problems, search, trained, value

pytest.importorskip("optuna")


def test_a_trial_is_an_ordinary_run_that_shares_its_steps(host, desk):
    space = {"method.x": "choice(0.1, 0.2)", "compress": "choice([], [shave])"}
    outcome = search(host, space=space, sampler="random", trials=30).run()
    folder = desk / "ptx-out" / "runs" / "study"
    assert len(trained()) == 2
    books = read_json(folder / "sweep.json")
    assert books["axes"].keys() == {"method.x", "compress"}
    assert set(books["runs"]) == {path.parent.name for path in folder.glob("*/result.json")}
    assert books["steps"] == {"asked": 6, "distinct": 4}
    assert (books["books"]["steps_ran"], books["books"]["steps_shared"]) == (4, 2)
    run = read_json(folder / outcome.trials[0]["runs"][-1] / "run.json")
    assert run["varied"] == outcome.trials[0]["words"]


def test_a_failing_trial_is_recorded_and_the_search_goes_on(host, desk):
    outcome = search(host, "method.fail_above=0.5", trials=10, sampler="random").run()
    failed = [trial for trial in outcome.trials if trial["state"] == "failed"]
    assert failed
    assert outcome.count("done") + len(failed) == 10
    assert all("is too much" in trial["reason"] for trial in failed)
    assert all(number not in outcome.best for number in (trial["number"] for trial in failed))


def test_a_metric_that_is_not_a_number_fails_its_trial(host, desk):
    outcome = search(host, "eval.gap.nan_above=0.5", trials=10, sampler="random").run()
    failed = [trial for trial in outcome.trials if trial["state"] == "failed"]
    assert failed
    assert {trial["reason"] for trial in failed} == {"gap/mean is not a number"}


def test_the_objective_is_the_mean_over_the_seeds_with_its_interval(host, desk):
    outcome = search(host, seeds=[0, 1, 2], trials=2).run()
    assert len(trained()) == 6
    trial = outcome.trials[0]
    x, y = float(trial["words"]["method.x"]), float(trial["words"]["method.y"])
    assert value(trial) == pytest.approx((x - 0.3) ** 2 + (y - 0.7) ** 2 + 0.01)
    metric = trial["metrics"]["gap/mean"]
    assert metric["high"] - metric["low"] > 0.02  # seeds differ by 0.01, which one seed cannot know
    assert len(trial["runs"]) == 4


def test_a_trial_that_is_stopped_saves_its_other_seeds(host, desk):
    outcome = search(host, sampler="random", trials=6, seeds=[0, 1], early_stopping={"metric": "loss"}).run()
    assert outcome.count("stopped") > 1
    assert len(trained()) == 12 - outcome.count("stopped")


def test_a_key_that_is_no_field_is_found_before_the_first_trial(host, desk):
    assert "method has no field 'xx'; did you mean 'x'?" in problems(
        host, space={"method.xx": "interval(0, 1)"}
    )


def test_a_value_that_a_method_refuses_is_found_at_the_end_of_its_interval(host, desk):
    assert "method.x must not be negative, got -1" in problems(host, space={"method.x": "interval(-1, 1)"})


DONE = {
    "state": "done",
    "reason": "",
    "metrics": {"gap/mean": {"value": 0.12345, "low": 0.1, "high": 0.2}},
    "gate": {"large": "fails", "small": "holds"},
}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({}, "gap/mean 0.1235 [0.1, 0.2], gate: large fails"),
        ({"gate": {"small": "holds"}}, "gap/mean 0.1235 [0.1, 0.2], gate: ships"),
        ({"gate": {}}, "gap/mean 0.1235 [0.1, 0.2]"),
        ({"state": "failed", "reason": "no room"}, "failed: no room"),
    ],
)
def test_a_trial_is_one_line_of_its_objectives_and_its_gate(change, line):
    assert line_of(DONE | change) == line


def test_a_trial_is_announced_with_its_number_and_its_point():
    assert title_of(3, 40, {"method.rate": "0.1"}) == "trial 3 of 40: method.rate=0.1"
