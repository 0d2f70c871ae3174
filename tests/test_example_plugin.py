"""A third-party distribution, installed as strangers install theirs, is found, described and used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "example_plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    import shutil

    copy = tmp_path_factory.mktemp("source") / "example"
    shutil.copytree(SOURCE, copy)
    target = tmp_path_factory.mktemp("site")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(target),
        str(copy),
    ]
    subprocess.run(pip, check=True, capture_output=True)
    return {**os.environ, "PYTHONPATH": str(target), "OMP_NUM_THREADS": "1"}


def test_it_is_listed_and_explained_like_a_built_in_one(installed, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "ptx", "plugins", "cast"],
        capture_output=True,
        text=True,
        env=installed,
        cwd=tmp_path,
        check=True,
    )
    assert "example 0.3.0" in done.stdout
    assert "compress.cast.dtype" in done.stdout


@pytest.mark.slow
def test_it_compresses_and_its_result_is_half_the_size(installed, tmp_path):
    words = ["compress", "model=tiny", "compress=[cast]", "eval=[]", "baseline=false"]
    done = subprocess.run(
        [sys.executable, "-m", "ptx", *words], capture_output=True, text=True, env=installed, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    weights = next((tmp_path / "ptx-out" / "store" / "steps").rglob("model.safetensors"))
    import ptx_tiny

    assert weights.stat().st_size < 0.6 * (ptx_tiny.MODEL_FOLDER / "model.safetensors").stat().st_size


def test_it_keeps_the_rules_of_plugins(installed):
    program = "from ptx.testing import check_plugin; check_plugin('ptx_example')"
    subprocess.run([sys.executable, "-c", program], env=installed, check=True)
