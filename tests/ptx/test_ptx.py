"""The public face of ptx."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ptx
from tests.ptx.report.runs import exact, write_run, write_sweep


def test_load_sweep_makes_a_table_of_runs(tmp_path):
    pytest.importorskip("pandas")
    write_run(tmp_path / "s" / "sft", "quiz", [], [exact("quiz/right", 0.5, "higher")])
    table = ptx.load_sweep(write_sweep(tmp_path / "s", "sft"))
    assert table[["run", "method", "quiz/right"]].to_dict("records") == [
        {"run": "sft", "method": "sft", "quiz/right": 0.5}
    ]


def test_a_folder_without_runs_is_an_error_that_says_where_runs_are(tmp_path):
    with pytest.raises(ptx.ConfigError, match="no runs in"):
        ptx.load_sweep(tmp_path)


def test_importing_ptx_loads_no_report():
    code = (
        "import sys, ptx; print([name for name in ('ptx.report', 'pandas', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
