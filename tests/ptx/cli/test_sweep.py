"""``ptx sweep FILE``: grids from a file, and what is wrong with a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ptx.cli import main
from ptx.cli.sweep import read
from ptx.compose.jobs import compose_jobs
from ptx.files import read_json
from ptx.hooks.host import get_host
from tests.ptx.cli.conftest import SEARCH, write_study

ROOT = Path(__file__).parents[3]


def test_a_grid_runs_every_combination(bowl_host, desk):
    write_study(name="grid", overrides=["model=./model", "method=bowl", "eval=[gap]", "method.x=0.1,0.2"])
    assert main(["sweep", "study.yaml"]) == 0
    assert len(read_json(desk / "ptx-out" / "runs" / "grid" / "sweep.json")["runs"]) == 3


def test_a_typed_word_replaces_that_of_the_file(bowl_host, desk):
    write_study(name="grid", overrides=["model=./model", "method=bowl", "eval=[gap]", "method.x=0.1,0.2"])
    assert main(["sweep", "study.yaml", "method.x=0.3", "method.steps=2"]) == 0
    found = [
        read_json(path)["config"]["method"]
        for path in (desk / "ptx-out" / "runs" / "grid").glob("*/run.json")
    ]
    assert [config["x"] for config in found if config] == [0.3]


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
def test_what_is_wrong_with_a_sweep_file_is_said_with_exit_code_two(
    bowl_host, desk, capsys, study, words, part
):
    write_study(**study)
    assert main(["sweep", "study.yaml", *words]) == 2
    assert part in capsys.readouterr().err
    assert not (desk / "ptx-out").exists()


def test_a_study_brings_presets_of_its_own(bowl_host, desk):
    (desk / "mine" / "method").mkdir(parents=True)
    (desk / "mine" / "method" / "far.yaml").write_text("defaults: [bowl]\nx: 0.7\n")
    write_study(config_dir="mine", overrides=["model=./model", "method=bowl,far", "eval=[gap]"])
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
