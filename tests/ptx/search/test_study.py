"""The study: its samplers find optima, and it survives Ctrl-C, a kill and a changed definition."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time

import pytest

from ptx.errors import ConfigError
from ptx.files import read_json
from ptx.search import read_search
from ptx.search.study import Study
from tests.ptx.search.conftest import BOWL, GOAL, ROOT, search, trained, value

pytestmark = pytest.mark.usefixtures("warm")

pytest.importorskip("optuna")


@pytest.mark.slow
def test_tpe_comes_nearer_to_a_known_optimum_than_chance(host, desk):
    def by_chance(generator):
        return min((generator.random() - 0.3) ** 2 + (generator.random() - 0.7) ** 2 for _ in range(25))

    chance = statistics.median(by_chance(random.Random(seed)) for seed in range(400))
    for seed in range(2):
        outcome = search(host, f"out=out-{seed}", seed=seed, trials=25, startup=6).run()
        assert min(value(trial) for trial in outcome.trials) < chance / 2


@pytest.mark.slow  # Optuna's Gaussian process is written in torch
def test_gp_searches_numbers_and_keeps_to_the_gate(host, desk):
    gate = {"large": {"metric": "gap/x", "at_least": 0.6}}
    outcome = search(
        host, sampler="gp", startup=4, trials=8, gate=gate, space={"method.x": "interval(0, 1)"}
    ).run()
    assert all(0.5 < float(trial["words"]["method.x"]) < 0.8 for trial in outcome.trials[6:])


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
            "eval=[gap]",
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


def test_a_search_with_other_objectives_does_not_continue_the_first(host, desk):
    search(host, trials=2).run()
    with pytest.raises(ConfigError, match="was started with objectives"):
        search(host, trials=2, objectives={"gap/x": "minimize"}).run()


def test_optuna_that_is_not_installed_is_named_with_its_remedy(host, desk, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'ptx\[search\]'"):
        search(host).run()


def study(host, folder, **given):
    fields = {"trials": 8, "space": {"method.x": "choice(0.1, 0.2)"}, "objectives": GOAL, "sampler": "random"}
    return Study(folder, "study", read_search(host, fields | given, []))


def ended(state, words, **fields):
    metric = {"value": 0.5, "low": 0.4, "high": 0.6}
    metrics = {"gap/mean": metric} if state == "done" else {}
    return {"state": state, "words": words, "metrics": metrics, "violations": {}, "rungs": {}, **fields}


def finished(study, state="done"):
    trial = study.ask()
    study.tell(trial, ended(state, study.config.space.suggest(trial)))


def test_the_record_of_a_repeated_point_names_its_first_trial(host, tmp_path):
    log = study(host, tmp_path)
    for _ in range(4):
        finished(log)
    records = log.records()
    assert [record["number"] for record in records] == [1, 2, 3, 4]
    for record in records:
        first = next(other for other in records if other["words"] == record["words"])
        assert record["repeats"] == (None if first is record else first["number"])


def test_a_line_that_a_crash_has_cut_short_is_removed_from_the_journal(host, tmp_path):
    finished(study(host, tmp_path))
    with (tmp_path / "search.journal").open("a") as journal:
        journal.write('{"op_code": 5, "cut sho')
    again = study(host, tmp_path)
    assert len(again.records()) == 1
    finished(again)
    assert len(study(host, tmp_path).records()) == 2


def test_a_trial_that_was_running_when_its_process_died_is_asked_again(host, tmp_path):
    log = study(host, tmp_path)
    point = log.config.space.suggest(log.ask())
    again = study(host, tmp_path)
    assert again.recover(retry_failed=False) == 1
    trial = again.ask()
    assert again.is_retry(trial)
    assert again.config.space.suggest(trial) == point


def test_failed_trials_are_queued_again_only_on_request(host, tmp_path):
    finished(study(host, tmp_path), "failed")
    log = study(host, tmp_path)
    assert (log.recover(retry_failed=False), len(log.records())) == (0, 1)
    assert (log.recover(retry_failed=True), log.records()) == (1, [])


def test_a_changed_definition_starts_anew_only_while_no_trial_is_done(host, tmp_path):
    finished(study(host, tmp_path), "failed")
    other = study(host, tmp_path, objectives={"gap/x": "minimize"})
    assert other.records() == []
