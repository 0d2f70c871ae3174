"""Where sweeps are found, and how they are named."""

from __future__ import annotations

import os

import pytest

from ptx.cli.ui.folders import sweeps_below
from ptx.files import write_json


@pytest.fixture
def tree(tmp_path):
    for name in ("out/runs/a", "out/runs/b", "out/store/x/runs/no", "study/ptx-out/runs/a"):
        write_json(make(tmp_path / name) / "sweep.json", {"runs": []})
    write_json(make(tmp_path / "out/runs/single/r1") / "run.json", {})
    return tmp_path


def make(folder):
    folder.mkdir(parents=True)
    return folder


def test_an_output_folder_a_folder_above_a_sweep_and_a_run_can_be_given(tree):
    assert sorted(sweeps_below(tree / "out")) == ["a", "b", "single"]
    assert sorted(sweeps_below(tree)) == [
        "out/runs/a",
        "out/runs/b",
        "out/runs/single",
        "study/ptx-out/runs/a",
    ]
    assert sweeps_below(tree / "out/runs/a") == {".": tree / "out/runs/a"}
    assert sweeps_below(tree / "out/runs/single/r1") == {".": (tree / "out/runs/single").resolve()}
    assert sweeps_below(tree / "nothing") == {}


def test_a_folder_that_may_not_be_read_holds_no_sweeps(tree, monkeypatch):
    scan = os.scandir

    def refuse(folder):
        if str(folder).endswith("study"):
            raise PermissionError(13, "no")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert len(sweeps_below(tree)) == 3
