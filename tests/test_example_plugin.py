"""A third-party distribution, installed as strangers install theirs, is found, described and used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "example_plugin"
ROOT = Path(__file__).parents[1]
PARTS = ("ptx", "plugins", "conf", "pyproject.toml", "setup.py", "README.md", "LICENSE")
PIP = [sys.executable, "-m", "pip"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
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
def test_it_compresses_and_its_result_is_half_the_size(installed, warm, tmp_path):
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


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """The ``bin`` of a new environment with two wheels, ptx and the plugin; the rest is the tests' own."""
    source, wheels = tmp_path_factory.mktemp("ptx"), tmp_path_factory.mktemp("wheels")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(
                ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        else:
            shutil.copy(ROOT / part, source / part)
    shutil.copytree(SOURCE, example := tmp_path_factory.mktemp("source") / "example")
    build = [*PIP, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)]
    subprocess.run([*build, str(source), str(example)], check=True, capture_output=True)
    venv = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    install = [
        *PIP,
        "--python",
        str(venv / "bin" / "python"),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*install, *map(str, wheels.iterdir())], check=True, capture_output=True)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(str(Path(pytest.__file__).parents[1]))  # no .pth there is followed
    return venv / "bin"


@pytest.mark.slow  # builds both wheels, and runs a sweep in two worker processes
def test_as_a_wheel_beside_ptxs_own_it_takes_part_in_a_parallel_sweep(fresh, tmp_path):
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environ |= {"OMP_NUM_THREADS": "1"}

    def run(*words):
        return subprocess.run([*map(str, words)], capture_output=True, text=True, env=environ, cwd=tmp_path)

    where = "import ptx, ptx_example; print(ptx.__file__, ptx_example.__file__)"
    assert run(fresh / "python", "-c", where).stdout.count(f"{fresh.parent}/lib/") == 2
    words = [
        "compress",
        "-m",
        "model=tiny",
        "compress=[cast],[magnitude],[cast,magnitude]",
        "eval=[]",
        "name=a",
    ]
    done = run(fresh / "ptx", *words, "baseline=false", "workers=2")
    assert done.returncode == 0, done.stdout + done.stderr
    records = [json.loads(path.read_text()) for path in tmp_path.glob("ptx-out/runs/a/*/result.json")]
    assert [record["status"] for record in records] == ["done"] * 3
    assert sorted(len(record["steps"]) for record in records) == [1, 1, 2]
    assert sorted({step["name"] for record in records for step in record["steps"]}) == ["cast", "magnitude"]
