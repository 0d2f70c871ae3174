"""The parts of `make bench` run; what they find is for a quiet machine to say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "speed" / "run.py"


@pytest.mark.slow
def test_every_part_of_the_speed_benchmark_compares_the_same_work(tmp_path):
    sizes = ["--rows", "8", "--steps", "1", "--pairs", "6", "--texts", "6", "--tokens", "12", "--words", "2"]
    done = subprocess.run(
        [sys.executable, SCRIPT, *sizes, "--json", tmp_path / "speed.json"],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"},
    )
    assert done.returncode in (0, 1), done.stderr[-3000:]  # 1: a goal was missed
    assert "Traceback" not in done.stderr, done.stderr[-3000:]
    found = json.loads((tmp_path / "speed.json").read_text())
    assert set(found) == {f"{part} cpu" for part in ("sft", "dpo", "kto", "grpo", "reference", "perplexity")}
    for part in ("sft", "dpo", "kto", "reference", "perplexity"):
        apart = float(found[f"{part} cpu"]["same"].rpartition("at most ")[2].removesuffix(" apart"))
        assert apart < 1e-4, part
