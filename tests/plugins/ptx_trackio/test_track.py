"""trackio, really: what its own store holds of a run."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not find_spec("trackio"), reason="pip install 'ptx[trackio]'")
ROOT = Path(__file__).parents[3]
SCRIPT = """
import json, sys
from pathlib import Path
import ptx_trackio
from ptx_trackio import Trackio
from tests.plugins.trackers import RESULT, carried_out, report, run_with, train
run = run_with(Path(sys.argv[1]), ptx_trackio, trackio=Trackio())
assert carried_out(run, train) is RESULT
assert run.console.lines == [], run.console.lines
ptx_trackio.ptx_reported(run.config, "grid", report(Path(sys.argv[1]) / "report"))
"""
READ = """
import json
from trackio.sqlite_storage import SQLiteStorage
runs = SQLiteStorage.get_runs("ptx")
print(json.dumps({run: SQLiteStorage.get_logs("ptx", run) for run in runs}))
"""


def test_a_run_leaves_curves_and_metrics(tmp_path):
    """In a process of its own: trackio reads where its files go when it is imported."""
    env = {**os.environ, "TRACKIO_DIR": str(tmp_path / "trackio"), "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}"}
    command = [sys.executable, "-c"]
    said = subprocess.run(
        [*command, SCRIPT, str(tmp_path)], env=env, capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stdout) == (0, ""), said.stderr
    read = subprocess.run([*command, READ], env=env, capture_output=True, text=True, check=True)
    found = json.loads(read.stdout.splitlines()[-1])
    assert found.keys() == {"grid/method=sft", "grid/report"}
    points = found["grid/method=sft"]
    assert [point["sft/loss"] for point in points if "sft/loss" in point] == [1.0, 0.5, 1 / 3]
    assert points[-1]["bench/acc/low"] == 0.4
    kept = [path.read_text() for path in (tmp_path / "trackio" / "artifacts").rglob("*") if path.is_file()]
    assert {"<p>report", "# report"} <= set(kept)
