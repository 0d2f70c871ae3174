"""``ptx gate`` on the records of a real sweep."""

from __future__ import annotations

import json

import pytest

from ptx.cli import main
from ptx.compose.jobs import compose_jobs
from ptx.execute.sweep import run_sweep
from ptx.plan.planner import make_plan
from ptx.testing import Silent


@pytest.fixture
def sweep(toy_host, desk, monkeypatch):
    """Two models and their baseline.

    Rate 0.1 measures 1.1 [1.0, 1.2], rate 0.9 measures 1.9 [1.8, 2.0]; the baseline measures 1.
    """
    monkeypatch.setattr("ptx.cli.gate.get_host", lambda: toy_host)
    words = [
        "model=./model",
        "data=./text.jsonl",
        "method=toy",
        "eval=[latency]",
        "method.rate=0.1,0.9",
        "name=two",
    ]
    run_sweep(
        make_plan(toy_host, "train", compose_jobs(toy_host, "train", words, multirun=True), "ptx test"),
        toy_host,
        Silent(),
    )
    return desk


def gate(folder, text):
    (folder / "mine.yaml").write_text(text)
    return "gate=./mine.yaml"


def test_one_model_that_ships_is_enough_and_the_other_one_says_why_not(sweep, capsys):
    assert main(["gate", "two", gate(sweep, "fast: {metric: latency/value, at_most: 1.5}\n")]) == 0
    said = capsys.readouterr().out
    assert "ships      method.rate=0.1" in said
    assert "does not   method.rate=0.9" in said
    assert "fails      fast: latency/value at most 1.5; measured 1.9 [1.8, 2]" in said
    assert "gate mine: 1 of 2 models ships: method.rate=0.1" in said
    assert "baseline" not in said


def test_the_verdicts_are_json_for_a_program(sweep, capsys):
    words = ["gate", "two", gate(sweep, "fast: {metric: latency/value, at_most: 1.5}\n"), "--json"]
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["gate"] == "mine"
    states = {model["label"]: model["state"] for model in said["models"]}
    assert states == {"method.rate=0.1": "ships", "method.rate=0.9": "fails"}
    assert [one["verdict"] for model in said["models"] for one in model["findings"]] == ["holds", "fails"]
    assert all(model["runs"] for model in said["models"])


def test_an_interval_that_straddles_the_bound_does_not_ship(sweep, capsys):
    assert main(["gate", "two", gate(sweep, "fast: {metric: latency/value, at_most: 1.15}\n")]) == 3
    said = capsys.readouterr().out
    assert "undecided  fast" in said
    assert "the interval contains the bound" in said
    assert "gate mine: 0 of 2 models ships" in said


def test_a_metric_that_nobody_measured_ships_nothing(sweep, capsys):
    assert main(["gate", "two", "gate=ship"]) == 3
    assert "safety/harmful_compliance_rate at most 0.005; not measured" in capsys.readouterr().out


def test_a_model_that_fails_ends_with_1_although_another_constraint_is_undecided(sweep, capsys):
    words = "fast: {metric: latency/value, at_most: 0.5}\nsafe: {metric: safety/rate, at_most: 0.1}\n"
    assert main(["gate", "two", gate(sweep, words)]) == 1
    said = capsys.readouterr().out
    assert "does not   method.rate=0.1" in said
    assert "safe: safety/rate at most 0.1; not measured; add safety to eval=[...]" in said


@pytest.mark.parametrize(
    ("required", "bound", "code"),
    [
        ("any", 1.5, 0),
        ("all", 1.5, 1),
        ("all", 5, 0),
        ("all", 1.95, 3),
        ("any", 1.15, 3),
        ("method.rate=0.1", 1.5, 0),
        ("method.rate=0.9", 1.5, 1),
        ("method.rate=0.9", 1.95, 3),
    ],
)
def test_what_exit_code_0_means_is_chosen(sweep, required, bound, code):
    given = gate(sweep, f"fast: {{metric: latency/value, at_most: {bound}}}\n")
    assert main(["gate", "two", given, "--require", required]) == code


def test_a_required_run_that_does_not_exist_is_misuse(sweep, capsys):
    assert main(["gate", "two", gate(sweep, "f: {metric: a, at_most: 1}\n"), "--require", "x=1"]) == 2
    assert "--require 'x=1' is none of the runs" in capsys.readouterr().err


def test_a_bound_is_changed_on_the_command_line(sweep, capsys):
    assert (
        main(
            [
                "gate",
                "two",
                gate(sweep, "fast: {metric: latency/value, at_most: 1}\n"),
                "gate.fast.at_most=5e0",
            ]
        )
        == 0
    )
    assert "2 of 2 models ship:" in capsys.readouterr().out


def test_a_difference_from_the_baseline_that_three_items_cannot_prove_is_not_decided(sweep, capsys):
    words = "slower: {metric: latency/value, versus: baseline, at_most: 0.5%s}\n"
    assert main(["gate", "two", gate(sweep, words % "")]) == 3
    assert "latency/value minus baseline at most 0.5; measured 0.1 [no interval]" in capsys.readouterr().out
    assert main(["gate", "two", gate(sweep, words % ", decide: value")]) == 0
    assert "1 of 2 models ships" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["two", "gate=shipp"], "no gate 'shipp'; did you mean 'ship'?"),
        (["two", "gaet=ship"], "cannot use 'gaet=ship'; did you mean 'gate'?"),
        (["two", "gate.p95.at_most=1"], "no gate was given; add gate=ship"),
        (["tow", "gate=ship"], "no sweep or run 'tow'"),
        (
            ["two", "gate=ship", "gate.p59.at_most=1"],
            "gate ship has no constraint 'p59'; did you mean 'p95'?",
        ),
    ],
)
def test_what_is_wrong_is_said_with_exit_code_two(sweep, capsys, words, part):
    assert main(["gate", *words]) == 2
    assert part in capsys.readouterr().err
