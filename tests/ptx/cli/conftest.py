"""Recorded runs of the toy plugin, for the verbs that read records and the store."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from ptx.cli import main
from ptx.compose.jobs import compose_jobs
from ptx.execute.sweep import run_sweep
from ptx.plan.planner import make_plan
from ptx.testing import Silent

BASE = ["model=./model", "data=./text.jsonl", "method=toy", "eval=[latency]"]


@pytest.fixture
def sweep(toy_host, desk) -> Callable[..., Any]:
    """``sweep("method.rate=0.1,0.2", "name=a")`` runs it; returns its plan, its outcome and the lines that
    were said.
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
