"""The loop of a search: it runs each point once, continues, and finds the best trials."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ptx.errors import ConfigError
from ptx.search import read_search
from ptx.search.loop import conclusion, outcome_of
from ptx.testing import Silent
from tests.ptx.search.conftest import GOAL, ROOT, SPACE, search, trained, value

pytest.importorskip("optuna")


def test_a_point_that_comes_up_again_is_answered_by_its_record(host, desk):
    console = Silent()
    outcome = search(
        host, space={"method.x": "choice(0.1, 0.2, 0.3)"}, trials=40, sampler="random", console=console
    ).run()
    repeats = [trial for trial in outcome.trials if trial["repeats"]]
    assert repeats
    assert len(trained()) == 3
    assert all(value(trial) == value(outcome.trials[trial["repeats"] - 1]) for trial in repeats)
    assert any("all 3 points of the space have been tried" in line for line in console.said)


@pytest.mark.parametrize("sampler", ["nsga2", "nsga3", "tpe"])
def test_two_objectives_give_a_front_on_which_no_trial_beats_another(host, desk, sampler):
    outcome = search(
        host,
        sampler=sampler,
        trials=14,
        space={"method.x": "interval(0, 0.5)"},
        objectives={**GOAL, "gap/x": "minimize"},
    ).run()
    front = [trial for trial in outcome.trials if trial["number"] in outcome.best]
    assert len(front) > 2
    by_x = sorted(front, key=lambda trial: value(trial, "gap/x"))
    distances = [value(trial) for trial in by_x]
    assert distances == sorted(distances, reverse=True)


def test_an_objective_that_is_better_high_is_maximized(host, desk):
    outcome = search(
        host,
        space={"method.x": "choice(0.3, 0.9)"},
        objectives={"gap/mean": "maximize"},
        trials=20,
        sampler="random",
    ).run()
    assert outcome.trials[outcome.best[0] - 1]["words"] == {"method.x": "0.9"}


def test_the_same_command_again_does_nothing_and_more_trials_continue(host, desk):
    first = search(host, trials=6).run()
    done = trained()
    assert search(host, trials=6).run() == first
    assert trained() == done
    longer = search(host, trials=9).run()
    assert longer.trials[:6] == first.trials
    assert len(trained()) == 9
    assert len({json.dumps(trial["words"]) for trial in longer.trials}) == 9


def test_an_objective_that_nothing_measures_ends_the_search_after_one_trial(host, desk):
    with pytest.raises(ConfigError) as caught:
        search(host, objectives={"gap/meen": "minimize"}).run()
    assert "no evaluator measured gap/meen; did you mean 'gap/mean'?" in str(caught.value)
    assert len(trained()) == 1
    assert search(host, trials=3).run().count("done") == 3  # mended, the same search begins


def test_the_gate_decides_which_trials_can_be_best(host, desk):
    gate = {"large": {"metric": "gap/x", "at_least": 0.6}}
    outcome = search(host, gate=gate, trials=16, space={"method.x": "interval(0, 1)"}, startup=5).run()
    best = outcome.trials[outcome.best[0] - 1]
    assert 0.6 <= value(best, "gap/mean") ** 0.5 + 0.3 < 0.75
    fit = [trial["gate"]["large"] == "holds" for trial in outcome.trials]
    assert sum(fit[8:]) > 5  # the sampler was told, and stays where the gate holds
    assert all(fit[number - 1] for number in outcome.best)


def test_a_gate_that_nothing_passes_leaves_no_best_trial_and_names_the_closest(host, desk):
    given = search(host, gate={"far": {"metric": "gap/x", "at_least": 7}}, trials=4)
    outcome = given.run()
    assert outcome.best == []
    assert "no trial passes gate inline" in conclusion(outcome, given.config)[1]


def test_a_search_imports_no_ml_library(desk):
    program = (
        "import sys; import ptx.search, ptx.report.gate, ptx.cli.search; "
        "print([name for name in ('torch', 'transformers', 'optuna') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def ended(number, mean, half=0.01, state="done", verdict="holds", repeats=None):
    metric = {"value": mean, "low": mean - half, "high": mean + half}
    return {
        "number": number,
        "repeats": repeats,
        "state": state,
        "metrics": {"gap/mean": metric},
        "gate": {"large": verdict},
    }


def test_the_best_trial_is_done_passes_the_gate_and_others_may_be_within_noise_of_it(host):
    config = read_search(host, {"trials": 6, "space": SPACE, "objectives": GOAL}, [])
    records = [
        ended(1, 0.10, state="failed"),
        ended(2, 0.20, verdict="undecided"),
        ended(3, 0.30),
        ended(4, 0.305),
        ended(5, 0.90),
        ended(6, 0.30, repeats=3),
    ]
    outcome = outcome_of(records, config)
    assert (outcome.best, outcome.near) == ([3], [4])
    assert (outcome.count("done"), outcome.count("failed")) == (5, 1)
