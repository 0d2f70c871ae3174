"""Searches: they find, they survive, they stop early, they keep to the gate; and what is wrong is said before
the first trial.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptx.errors import ConfigError
from ptx.files import read_json, read_rows
from ptx.search import Search, read_search
from ptx.search.config import Halving
from ptx.search.halving import lags, rung_steps, rungs_of
from ptx.search.loop import conclusion
from ptx.search.space import make_space
from ptx.testing import Silent

pytest.importorskip("optuna")

BOWL = Path(__file__).parents[2] / "bowl_plugin.py"
ROOT = Path(__file__).parents[3]
FIXED = ["name=study", "model=./model", "method=bowl", "eval=[distance]"]
SPACE = {"method.x": "interval(0, 1)", "method.y": "interval(0, 1)"}
GOAL = {"distance/mean": "minimize"}


@pytest.fixture
def host(toy, host_with):
    spec = importlib.util.spec_from_file_location("bowl_plugin", BOWL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["bowl_plugin"] = module
    spec.loader.exec_module(module)
    return host_with(toy=toy, bowl=module)


def search(host, *more, fixed=FIXED, console=None, **given):
    given = {"trials": 8, "space": SPACE, "objectives": GOAL, **given}
    fixed = [*fixed, *more]
    return Search(
        host, "train", fixed, read_search(host, given, fixed), "ptx sweep study.yaml", console or Silent()
    )


def trained():
    return Path("trained.log").read_text().splitlines() if Path("trained.log").exists() else []


def value(trial, name="distance/mean"):
    return trial["metrics"][name]["value"]


def problems(host, *more, **given):
    with pytest.raises(ConfigError) as caught:
        search(host, *more, **given).check()
    assert not Path("ptx-out").exists()
    return str(caught.value)


@pytest.mark.slow
def test_tpe_comes_nearer_to_a_known_optimum_than_chance(host, desk):
    def by_chance(generator):
        return min((generator.random() - 0.3) ** 2 + (generator.random() - 0.7) ** 2 for _ in range(25))

    chance = statistics.median(by_chance(random.Random(seed)) for seed in range(400))
    for seed in range(2):
        outcome = search(host, f"out=out-{seed}", seed=seed, trials=25, startup=6).run()
        assert min(value(trial) for trial in outcome.trials) < chance / 2


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
        objectives={**GOAL, "distance/x": "minimize"},
    ).run()
    front = [trial for trial in outcome.trials if trial["number"] in outcome.best]
    assert len(front) > 2
    by_x = sorted(front, key=lambda trial: value(trial, "distance/x"))
    distances = [value(trial) for trial in by_x]
    assert distances == sorted(distances, reverse=True)


def test_an_objective_that_is_better_high_is_maximized(host, desk):
    outcome = search(
        host,
        space={"method.x": "choice(0.3, 0.9)"},
        objectives={"distance/mean": "maximize"},
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


def process(folder, *words):
    environ = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",
        "PTX_CACHE": str(folder / "cache"),
        "PTX_DISABLE": "wandb,checks,divergence,forgetting",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "ptx", "sweep", "study.yaml", *words],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def written(folder, **search):
    space = {"method.x": "interval(0, 1)", "method.y": "choice(0.6, 0.7, 0.8)"}
    shutil.copyfile(BOWL, folder / "ptxfile.py")
    study = {
        "overrides": [
            "model=./model",
            "method=bowl",
            "eval=[distance]",
            "method.steps=4",
            "method.sleep=0.02",
        ],
        "search": {"trials": 8, "startup": 3, "space": space, "objectives": GOAL, **search},
    }
    (folder / "study.yaml").write_text(json.dumps(study))


def outcome_in(folder):
    return read_json(folder / "ptx-out" / "runs" / "study" / "search.json")


@pytest.mark.slow
def test_a_search_that_is_killed_again_and_again_ends_as_if_nothing_had_happened(desk, tmp_path_factory):
    quiet = tmp_path_factory.mktemp("quiet")
    shutil.copytree(desk / "model", quiet / "model")
    for folder in (desk, quiet):
        written(folder)
    assert process(quiet).wait(timeout=300) == 0
    for wanted in (2, 5):  # while points are drawn by chance, and when the sampler proposes them
        victim = process(desk)
        deadline = time.monotonic() + 300
        while len(trained()) < wanted:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
    with (desk / "ptx-out" / "runs" / "study" / "search.journal").open("a") as journal:
        journal.write('{"op_code": 5, "cut sho')  # and a line that a crash has cut short
    last = process(desk)
    said, _ = last.communicate(timeout=300)
    assert last.returncode == 0, said
    assert "are run again" in said
    assert outcome_in(desk) == outcome_in(quiet)
    again = [line for line in set(trained()) if trained().count(line) > 1]
    assert len(again) <= 2  # only what was in flight when it died


def test_a_failing_trial_is_recorded_and_the_search_goes_on(host, desk):
    outcome = search(host, "method.fail_above=0.5", trials=10, sampler="random").run()
    failed = [trial for trial in outcome.trials if trial["state"] == "failed"]
    assert failed
    assert outcome.count("done") + len(failed) == 10
    assert all("is too much" in trial["reason"] for trial in failed)
    assert all(number not in outcome.best for number in (trial["number"] for trial in failed))


def test_failed_trials_are_taken_up_again_on_request_only(host, desk, monkeypatch):
    bowl = sys.modules["bowl_plugin"]
    sound = bowl.written
    monkeypatch.setattr(bowl, "written", lambda *_: 1 / 0)
    first = search(host, trials=3).run()
    assert first.count("failed") == 3
    monkeypatch.setattr(bowl, "written", sound)
    assert search(host, trials=3).run() == first
    again = search(host, trials=3).run(retry_failed=True)
    assert [trial["words"] for trial in again.trials] == [trial["words"] for trial in first.trials]
    assert again.count("done") == 3


def test_a_metric_that_is_not_a_number_fails_its_trial(host, desk):
    outcome = search(host, "eval.distance.nan_above=0.5", trials=10, sampler="random").run()
    failed = [trial for trial in outcome.trials if trial["state"] == "failed"]
    assert failed
    assert {trial["reason"] for trial in failed} == {"distance/mean is not a number"}


def test_an_objective_that_nothing_measures_ends_the_search_after_one_trial(host, desk):
    with pytest.raises(ConfigError) as caught:
        search(host, objectives={"distance/meen": "minimize"}).run()
    assert "no evaluator measured distance/meen; did you mean 'distance/mean'?" in str(caught.value)
    assert len(trained()) == 1
    assert search(host, trials=3).run().count("done") == 3  # mended, the same search begins


def test_the_gate_decides_which_trials_can_be_best(host, desk):
    gate = {"large": {"metric": "distance/x", "at_least": 0.6}}
    outcome = search(host, gate=gate, trials=16, space={"method.x": "interval(0, 1)"}, startup=5).run()
    best = outcome.trials[outcome.best[0] - 1]
    assert 0.6 <= value(best, "distance/mean") ** 0.5 + 0.3 < 0.75
    fit = [trial["gate"]["large"] == "holds" for trial in outcome.trials]
    assert sum(fit[8:]) > 5  # the sampler was told, and stays where the gate holds
    assert all(fit[number - 1] for number in outcome.best)


def test_a_gate_that_nothing_passes_leaves_no_best_trial_and_names_the_closest(host, desk):
    given = search(host, gate={"far": {"metric": "distance/x", "at_least": 7}}, trials=4)
    outcome = given.run()
    assert outcome.best == []
    assert "no trial passes gate inline" in conclusion(outcome, given.config)[1]


def test_the_objective_is_the_mean_over_the_seeds_with_its_interval(host, desk):
    outcome = search(host, seeds=[0, 1, 2], trials=2).run()
    assert len(trained()) == 6
    trial = outcome.trials[0]
    x, y = float(trial["words"]["method.x"]), float(trial["words"]["method.y"])
    assert value(trial) == pytest.approx((x - 0.3) ** 2 + (y - 0.7) ** 2 + 0.01)
    metric = trial["metrics"]["distance/mean"]
    assert metric["high"] - metric["low"] > 0.02  # seeds differ by 0.01, which one seed cannot know
    assert len(trial["runs"]) == 4


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


def test_a_trial_that_is_stopped_saves_its_other_seeds(host, desk):
    outcome = search(host, sampler="random", trials=6, seeds=[0, 1], early_stopping={"metric": "loss"}).run()
    assert outcome.count("stopped") > 1
    assert len(trained()) == 12 - outcome.count("stopped")


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


def test_ctrl_c_leaves_a_search_that_continues(host, desk, monkeypatch):
    bowl = sys.modules["bowl_plugin"]
    sound, calls = bowl.written, []

    def interrupts(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return sound(*arguments)

    monkeypatch.setattr(bowl, "written", interrupts)
    with pytest.raises(KeyboardInterrupt):
        search(host, trials=5).run()
    in_flight = trained()[-1].split()
    outcome = search(
        host, trials=5, startup=1
    ).run()  # asked anew, the sampler would by now propose another point
    assert outcome.count("done") == 5
    assert list(outcome.trials[2]["words"].values()) == in_flight[:2]


@pytest.mark.slow  # Optuna's Gaussian process is written in torch
def test_gp_searches_numbers_and_keeps_to_the_gate(host, desk):
    gate = {"large": {"metric": "distance/x", "at_least": 0.6}}
    outcome = search(
        host, sampler="gp", startup=4, trials=8, gate=gate, space={"method.x": "interval(0, 1)"}
    ).run()
    assert all(0.5 < float(trial["words"]["method.x"]) < 0.8 for trial in outcome.trials[6:])


def test_everything_wrong_with_a_search_is_said_at_once(host, desk):
    said = problems(
        host,
        "method.y=0.1,0.2",
        sampler="tpee",
        trials=0,
        space={"method.x": "interval(2, 1)", "method.y": "5", "method.z": "tag(log, interval(0, 1))"},
        objectives={"distance/mean": "lower"},
        seeds=[0, 0],
        early_stopping={"metric": "loss", "factor": 1},
        gate="shipp",
        speed=9,
    )
    for part in (
        "no sampler 'tpee'; did you mean 'tpe'?",
        "search.trials must be a whole number of at least 1, got 0",
        "search.space.method.x: interval(2, 1) is empty",
        "search.space.method.y: '5' is one value",
        "search.space.method.z: tag(log, interval(0, 1)) starts at or below zero",
        "search.objectives.distance/mean is 'lower'",
        "search.seeds must be a list of different whole numbers, got [0, 0]",
        "search.early_stopping.factor must be a whole number of at least 2, got 1",
        "no gate 'shipp'; did you mean 'ship'?",
        "search has no field 'speed'",
        "'method.y=0.1,0.2' names several values",
    ):
        assert part in said


def test_a_key_that_is_no_field_is_found_before_the_first_trial(host, desk):
    assert "method has no field 'xx'; did you mean 'x'?" in problems(
        host, space={"method.xx": "interval(0, 1)"}
    )


def test_a_value_that_a_method_refuses_is_found_at_the_end_of_its_interval(host, desk):
    assert "method.x must not be negative, got -1" in problems(host, space={"method.x": "interval(-1, 1)"})


def test_a_field_that_no_choice_of_the_space_has_is_not_silently_left_out(host, desk):
    space = {
        "method": "choice(bowl, flat)",
        "method.z": "interval(0, 1)",
        "compress": "choice([], [shave])",
        "compress.shaev.share": "0.1,0.2",
    }
    said = problems(host, fixed=[word for word in FIXED if word != "method=bowl"], space=space)
    assert "no method of the space has a field 'z'" in said
    assert "no value of compress holds 'shaev'; did you mean 'shave'?" in said


def test_a_search_with_other_objectives_does_not_continue_the_first(host, desk):
    search(host, trials=2).run()
    with pytest.raises(ConfigError, match="was started with objectives"):
        search(host, trials=2, objectives={"distance/x": "minimize"}).run()


def test_optuna_that_is_not_installed_is_named_with_its_remedy(host, desk, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'ptx\[search\]'"):
        search(host).run()


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ("range(8, 40, 8)", ["8", "16", "24", "32"]),
        ("range(0, 1, 0.25)", ["0", "0.25", "0.5", "0.75"]),
        ("int(interval(1, 3))", ["1", "2", "3"]),
        ("a,b", ["a", "b"]),
        (["[]", "[shave]"], ["[]", "[shave]"]),
        ("tag(log, interval(1e-5, 1e-3))", None),
    ],
)
def test_a_space_is_written_as_on_the_command_line(host, spec, values):
    assert make_space(host, {"method.x": spec}).axes[0].all_values() == values


def test_a_search_imports_no_ml_library(desk):
    program = (
        "import sys; import ptx.search, ptx.report.gate, ptx.cli.search; "
        "print([name for name in ('torch', 'transformers', 'optuna') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
