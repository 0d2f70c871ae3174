"""Recorded runs of the toy plugin, for the verbs that read records and the store."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ptx.cli import main
from ptx.compose.jobs import compose_jobs
from ptx.execute.sweep import run_sweep
from ptx.files import read_json
from ptx.plan.planner import make_plan
from ptx.testing import Silent

BASE = ["model=./model", "data=./text.jsonl", "method=toy", "eval=[latency]"]


@pytest.fixture
def sweep(toy_host, desk) -> Callable[..., Any]:
    """``sweep("method.rate=0.1,0.2", "name=a")`` runs a sweep.

    It returns the plan, the outcome and the lines that were printed.
    """

    def go(*words: str, host: Any = None) -> Any:
        host, console = host or toy_host, Silent()
        plan = make_plan(
            host, "train", compose_jobs(host, "train", [*BASE, *words], multirun=True), "ptx test"
        )
        return plan, run_sweep(plan, host, console), "\n".join(console.said)

    return go


@pytest.fixture
def ptx(desk, capsys) -> Callable[..., tuple[int, str, str]]:
    """A command in this process: exit code, what it printed, what it complained of."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def as_root():
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting needs root")
    mounts = []

    def mount(*words):
        done = subprocess.run(["mount", *map(str, words)], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"this system does not let root mount: {done.stderr.strip()}")
        mounts.append(words[-1])

    yield mount
    for folder in dict.fromkeys(mounts):
        subprocess.run(["umount", str(folder)], check=True)


STORE = Path("ptx-out/store")


def result_of(plan, position=-1):
    return read_json(plan.folder / plan.runs[position].id / "result.json")


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def entry_of(step):
    return STORE / step.identity.kind / step.key


def use(step, days):
    moment = time.time() - 86400 * days
    os.utime(entry_of(step) / "entry.sha256", (moment, moment))


BOWL = Path(__file__).parents[2] / "bowl_plugin.py"
SEARCH = {"trials": 3, "space": {"method.x": "interval(0, 1)"}, "objectives": {"gap/mean": "minimize"}}


@pytest.fixture
def bowl_host(toy, host_with, desk, monkeypatch):
    spec = importlib.util.spec_from_file_location("bowl_plugin", BOWL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["bowl_plugin"] = module
    spec.loader.exec_module(module)
    made = host_with(toy=toy, bowl=module)
    for verb in ("train", "search"):
        monkeypatch.setattr(f"ptx.cli.{verb}.get_host", lambda: made)
    return made


def write_study(**study):
    study = {"overrides": ["model=./model", "method=bowl", "eval=[gap]"], **study}
    Path("study.yaml").write_text(
        json.dumps({key: value for key, value in study.items() if value is not None})
    )
