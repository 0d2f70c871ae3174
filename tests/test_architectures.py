"""A small part of `make matrix`; the whole takes hours."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ptx.cli.console import PLANNING
from tests.architectures import ARCHITECTURES

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "architectures" / "run.py"


@pytest.fixture(scope="module")
def matrix():
    spec = importlib.util.spec_from_file_location("matrix", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPT.parent)  # as if it were run
        spec.loader.exec_module(module)
    return module


def test_every_column_is_in_a_table_of_the_page_and_every_architecture_has_a_row(matrix):
    assert set(matrix.COLUMNS) == {column for columns in matrix.GROUPS.values() for column in columns}
    cells = {
        ("llama", "rtn"): {"result": "ok", "why": ""},
        ("gpt2", "rtn"): {"result": "refused before", "why": "rtn on gpt2: no"},
        ("opt", "rtn"): {"result": "fails", "why": "an error"},
    }
    text = matrix.page(cells, list(ARCHITECTURES))
    assert "| llama | ok |" in text
    assert "| gpt2 | - 1 |" in text
    assert "| opt | **fails** 2 |" in text
    assert "1. rtn on MODEL: no\n2. an error" in text
    assert all(f"| {name} |" in text for name in ARCHITECTURES)


def test_the_reason_of_a_cell_names_no_folder_of_this_machine(matrix):
    said = f"ptx: {PLANNING}\nptx: compress=[width] on /tmp/some/where/models/gpt2: it differs; try that\n"
    assert matrix.reason(said, "ptx: ") == "compress=[width] on gpt2: it differs; try that"


def test_advice_that_is_refused_too_is_found(matrix):
    said = "compress=[awq] on gpt2: no; prune it instead: compress=[sparsegpt]"
    refused = {"result": "refused before", "why": said}
    cells = {("gpt2", "awq"): refused, ("gpt2", "sparsegpt"): {"result": "ok", "why": ""}}
    assert list(matrix.bad_advice(cells)) == []
    also = {"result": "refused before", "why": "compress=[sparsegpt] on gpt2: no"}
    (line,) = matrix.bad_advice(cells | {("gpt2", "sparsegpt"): also})
    assert line.startswith("gpt2 awq")


def test_what_a_refusal_says_to_add_is_read_whole(matrix):
    said = "so it cannot be packed; add compress.rtn.skip=[dt_proj,out_proj,x_proj]"
    assert matrix.ADD.findall(said) == ["compress.rtn.skip=[dt_proj,out_proj,x_proj]"]
    said = "it could not be used; add compress.autoround.dtype=bfloat16"
    assert matrix.ADD.findall(said) == ["compress.autoround.dtype=bfloat16"]


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("failed: TimeoutError: timed out", True),
        ("ptx: interrupted; the same command again continues", True),
        ("plugin tools: ptx_validate raised ModuleNotFoundError: No module named 'ptx.models.calls'", True),
        ("failed: OSError: [Errno 28] No space left on device", True),
        ("ptx: compress=[rtn] on gpt2: no", False),
        ("failed: ModuleNotFoundError: No module named 'bitsandbytes'", False),
    ],
)
def test_what_the_machine_was_at_fault_for_is_no_result(matrix, monkeypatch, tmp_path, said, fault):
    (tmp_path / "models" / "gpt2").mkdir(parents=True)
    (tmp_path / "models" / "gpt2" / "config.json").touch()
    monkeypatch.setattr("ptx.cli.main", lambda words: print(said) or 1)
    if fault:
        with pytest.raises(matrix.HinderedError):
            matrix.cell("gpt2", "rtn", tmp_path)
    else:
        assert matrix.cell("gpt2", "rtn", tmp_path)["result"] == "fails"


@pytest.mark.slow
def test_a_mixture_and_gpt2_are_compressed_or_refused_before_the_run_and_nothing_fails(warm, tmp_path):
    names, columns = "mixtral,gpt2,gemma3", "magnitude,rtn,smoothquant,quanto"
    words = [sys.executable, str(SCRIPT), "--names", names, "--columns", columns, "--to", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [json.loads(line) for line in (tmp_path / "cells.jsonl").read_text().splitlines()]
    found = {(cell["name"], cell["column"]): cell["result"] for cell in cells}
    assert len(found) == 12
    assert found["mixtral", "magnitude"] == found["mixtral", "rtn"] == found["gemma3", "smoothquant"] == "ok"
    assert found["gpt2", "rtn"] == found["mixtral", "quanto"] == "refused before"
