"""``ptx sweep FILE``: grids and searches from a file."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from ptx.cli import main
from ptx.cli.sweep import read
from ptx.compose.jobs import compose_jobs
from ptx.files import read_json
from ptx.hooks.host import get_host

ROOT = Path(__file__).parents[3]
BOWL = Path(__file__).parents[2] / "bowl_plugin.py"
SEARCH = {"trials": 3, "space": {"method.x": "interval(0, 1)"}, "objectives": {"distance/mean": "minimize"}}


@pytest.fixture
def host(toy, host_with, desk, monkeypatch):
    spec = importlib.util.spec_from_file_location("bowl_plugin", BOWL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["bowl_plugin"] = module
    spec.loader.exec_module(module)
    made = host_with(toy=toy, bowl=module)
    for verb in ("train", "search"):
        monkeypatch.setattr(f"ptx.cli.{verb}.get_host", lambda: made)
    return made


def write(**study):
    study = {"overrides": ["model=./model", "method=bowl", "eval=[distance]"], **study}
    Path("study.yaml").write_text(
        json.dumps({key: value for key, value in study.items() if value is not None})
    )


def test_a_grid_runs_every_combination(host, desk):
    write(name="grid", overrides=["model=./model", "method=bowl", "eval=[distance]", "method.x=0.1,0.2"])
    assert main(["sweep", "study.yaml"]) == 0
    assert len(read_json(desk / "ptx-out" / "runs" / "grid" / "sweep.json")["runs"]) == 3


def test_a_search_runs_reports_and_names_the_best_trial(host, desk, capsys):
    pytest.importorskip("optuna")
    write(search=SEARCH)
    assert main(["sweep", "study.yaml"]) == 0
    said = capsys.readouterr().out
    assert "search study: 3 trials by tpe over 1 axes; minimize distance/mean" in said
    assert "3 trials: 3 done, 0 stopped early, 0 failed" in said
    assert "best: trial" in said
    folder = desk / "ptx-out" / "runs" / "study"
    assert (folder / "report" / "report.html").exists()
    found = read_json(folder / "search.json")
    assert [trial["state"] for trial in found["trials"]] == ["done"] * 3


def test_words_after_the_file_continue_and_change_the_search(host, desk, capsys):
    pytest.importorskip("optuna")
    write(search=SEARCH)
    assert main(["sweep", "study.yaml"]) == 0
    assert main(["sweep", "study.yaml", "search.trials=5", "search.sampler=random"]) == 0
    assert "3 of 5 trials were done already and are kept" in capsys.readouterr().out
    assert len(read_json(desk / "ptx-out" / "runs" / "study" / "search.json")["trials"]) == 5


def test_a_dry_run_of_a_search_checks_everything_and_writes_nothing(host, desk, capsys):
    pytest.importorskip("optuna")
    before = set(desk.rglob("*"))
    write(
        search={
            **SEARCH,
            "gate": "compressed",
            "seeds": [0, 1],
            "early_stopping": {"metric": "loss", "first": 2},
        }
    )
    assert main(["sweep", "study.yaml", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "each under 2 seeds" in said
    assert "gate compressed: size: size/bytes_on_disk minus baseline at most 0" in said
    assert "the best 1/3 by loss continue at steps 2, 6, ..." in said
    assert set(desk.rglob("*")) - before == {desk / "study.yaml"}


def test_a_failed_trial_is_listed_and_the_exit_code_says_so(host, desk, capsys):
    pytest.importorskip("optuna")
    write(search=SEARCH)
    assert main(["sweep", "study.yaml", "method.fail_above=0.0"]) == 1
    said = capsys.readouterr().out
    assert said.count("failed: trial") == 3
    assert "0 done, 0 stopped early, 3 failed" in said


def test_fail_fast_stops_a_search_at_the_first_failure(host, desk):
    pytest.importorskip("optuna")
    write(search=SEARCH)
    assert main(["sweep", "study.yaml", "method.fail_above=0.0", "--fail-fast"]) == 1
    assert len(read_json(desk / "ptx-out" / "runs" / "study" / "search.json")["trials"]) == 1


@pytest.mark.parametrize(
    ("study", "words", "part"),
    [
        ({"serach": SEARCH}, [], "no field 'serach'; did you mean 'search'?"),
        ({"search": {**SEARCH, "sampler": "grid"}}, [], "no sampler 'grid'; a grid needs no search"),
        ({"search": SEARCH}, ["search.speed=1"], "search has no field 'speed'"),
        ({"search": SEARCH}, ["method.x=0.5"], "method.x is searched and also set by 'method.x=0.5'"),
        ({"search": SEARCH}, ["workers=2"], "uses no workers"),
        ({"search": 5}, [], "search must be a mapping, got 5"),
        ({"verb": "eval", "search": SEARCH}, [], "ptx eval trains nothing"),
        ({"verb": "trian"}, [], "no verb 'trian'; did you mean 'train'?"),
        ({"overrides": None}, [], "overrides must be a list"),
    ],
)
def test_what_is_wrong_with_a_sweep_file_is_said_with_exit_code_two(host, desk, capsys, study, words, part):
    write(**study)
    assert main(["sweep", "study.yaml", *words]) == 2
    assert part in capsys.readouterr().err
    assert not (desk / "ptx-out").exists()


def test_a_study_brings_presets_of_its_own(host, desk):
    (desk / "mine" / "method").mkdir(parents=True)
    (desk / "mine" / "method" / "far.yaml").write_text("defaults: [bowl]\nx: 0.7\n")
    write(config_dir="mine", overrides=["model=./model", "method=bowl,far", "eval=[distance]"])
    assert main(["sweep", "study.yaml"]) == 0
    found = [
        read_json(path)["config"]["method"]
        for path in (desk / "ptx-out" / "runs" / "study").glob("*/run.json")
    ]
    assert {config["x"] for config in found if config} >= {0.7}


@pytest.mark.parametrize(
    "file",
    [path for path in sorted((ROOT / "sweeps").glob("*.yaml")) if "search" not in read(path)],
    ids=lambda path: path.stem,
)
def test_every_run_of_a_packaged_grid_composes(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = read(file)
    beside = str(file.parent / study["config_dir"]) if "config_dir" in study else None
    jobs = compose_jobs(get_host(), study["verb"], study["overrides"], multirun=True, config_dir=beside)
    assert len(jobs) > 1


@pytest.mark.parametrize("file", sorted((ROOT / "sweeps").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_packaged_sweep_file_reads_and_names_its_command(file):
    assert read(file)["overrides"]
    assert f"ptx sweep sweeps/{file.name}" in file.read_text()
