"""Malformed input of every kind ends in time, without a traceback, and is named (:mod:`hostile` makes it)."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
#: runs the cases of a seed in forks of a process that has imported everything, and prints those that fail
RUN = """
import random, sys, tempfile
from pathlib import Path
sys.path[:0] = [{root!r}, {root!r} + "/plugins"]
import ptx.cli.check, ptx.cli.gate, ptx.cli.report, ptx.cli.runs, ptx.cli.search, ptx.cli.store, ptx.cli.sweep
from ptx.hooks.host import get_host
from tests.ptx.cli import hostile
get_host()
every = hostile.cases({seed})
assert len(every) >= 300, len(every)
chosen = every if {count} is None else random.Random({seed}).sample(every, {count})
with tempfile.TemporaryDirectory() as place:
    for case in chosen:
        outcome = hostile.run(case, Path(place) / "case")
        if outcome.fault:
            print(f"{{case.name}}: {{outcome.fault}}: {{outcome.said.strip()[-300:]}}", flush=True)
"""


def failing(seed, count, folder):
    program = RUN.format(root=str(ROOT), seed=seed, count=count)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=folder, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


@pytest.mark.slow  # a process that imports every plugin, and a plan for each case
def test_a_sample_of_malformed_inputs_is_refused_in_words(tmp_path):
    assert failing(7, 12, tmp_path) == []


@pytest.mark.slow
@pytest.mark.skipif("PTX_HOSTILE" not in os.environ, reason="half an hour: make hostile")
def test_every_malformed_input_of_a_seed_is_refused_in_words(tmp_path):
    seed = int(os.environ["PTX_HOSTILE"] or random.randrange(10**6))
    assert failing(seed, None, tmp_path) == [], f"seed {seed}"
