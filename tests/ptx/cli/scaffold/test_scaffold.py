"""``ptx plugins new``: what it writes is an installed plugin whose own tests pass untouched."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

import pytest

from ptx.cli import main
from ptx.cli.scaffold import KINDS


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_kind_of_plugin_can_be_written():
    assert KINDS == [
        "compressor",
        "environment",
        "evaluator",
        "maker",
        "method",
        "report",
        "runtime",
        "scorer",
        "tracker",
    ]


@pytest.mark.slow  # a test run in a process of its own, in which every kind is tried
def test_the_tests_of_every_kind_pass_untouched(desk):
    for kind in KINDS:
        assert main(["plugins", "new", f"my_{kind}", "--kind", kind, "--to", str(desk / kind)]) == 0
        project = tomllib.loads((desk / kind / "pyproject.toml").read_text())["project"]
        held = desk / "site" / f"ptx_my_{kind}-{project['version']}.dist-info"  # what pip install leaves
        held.mkdir(parents=True)
        held.joinpath("METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        points = "".join(f"{name} = {module}\n" for name, module in project["entry-points"]["ptx"].items())
        held.joinpath("entry_points.txt").write_text(f"[ptx]\n{points}")
    places = [desk / "site", *(desk / kind / "src" for kind in KINDS)]
    paths = os.pathsep.join([*map(str, places), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "."],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stdout[-3000:]
    linted = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select=E,F", "--line-length=110", "."],
        capture_output=True,
    )
    assert linted.returncode == 0, linted.stdout


def test_the_next_command_is_said(desk, capsys):
    assert main(["plugins", "new", "brevity", "--kind", "evaluator"]) == 0
    assert "next: cd ptx-brevity && pip install -e . && pytest" in capsys.readouterr().out
    assert "`eval=brevity`" in (desk / "ptx-brevity" / "README.md").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sft", "--kind", "method"], "method=sft is given by the plugin sft already"),
        (["gptq", "--kind", "compressor"], "compress=gptq is given by the plugin quant already"),
        (["dpo", "--kind", "scorer"], "a plugin dpo is installed already"),
        (["My-Method", "--kind", "method"], "cannot be the name of a choice"),
        (["ours", "--kind", "method", "--to", "."], "exists already"),
    ],
)
def test_a_name_or_a_folder_that_is_taken_is_refused(desk, capsys, words, said):
    assert main(["plugins", "new", *words]) == 2
    assert said in capsys.readouterr().err
    assert not list(desk.iterdir())
