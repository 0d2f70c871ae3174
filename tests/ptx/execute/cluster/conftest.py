"""Stand-ins for Slurm's commands, and commands of ptx in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptx.files import read_json
from tests.ptx.execute.conftest import WORDS

FAKE_SLURM = Path(__file__).with_name("fake_slurm.py")
CLUSTER_WORDS = [*WORDS, "device=cpu"]


@pytest.fixture
def slurm(folder, tmp_path_factory, monkeypatch):
    """The working folder, on a machine that seems to have Slurm."""
    bin_folder, home = tmp_path_factory.mktemp("bin"), tmp_path_factory.mktemp("jobs")
    for name in ("sbatch", "srun", "sacct", "scontrol"):
        (bin_folder / name).write_text(f"#!{sys.executable}\n{FAKE_SLURM.read_text()}")
        (bin_folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM", str(home))
    return folder


def ptx(*words):
    done = subprocess.run([sys.executable, "-m", "ptx", *words], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def wait_until(condition, seconds=300.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert condition()


def records(folder, name="result.json"):
    return {path.parent.name: read_json(path) for path in (folder / "ptx-out" / "runs").glob(f"*/*/{name}")}


def ended():
    states = [
        path.read_text().strip() for path in Path(os.environ["FAKE_SLURM"]).iterdir() if not path.suffix
    ]
    return bool(states) and all(state in ("COMPLETED", "FAILED") for state in states)
