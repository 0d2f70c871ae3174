"""--quiet: results and failures are printed, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ptx.cli.silence import SILENCE, silent

WORDS = ["train", "model=./model", "data=./text.jsonl", "method=toy", "eval=[latency]", "baseline=false"]


@pytest.fixture(autouse=True)
def host(toy_host, desk, monkeypatch):
    monkeypatch.setattr("ptx.cli.train.get_host", lambda: toy_host)
    monkeypatch.delenv(SILENCE, raising=False)


@pytest.mark.parametrize("place", [0, 1, len(WORDS)])
def test_only_the_table_and_where_it_lies_are_printed(ptx, place):
    code, out, err = ptx(*WORDS[:place], "--quiet", *WORDS[place:], "name=a")
    assert (code, err) == (0, "")
    assert "loading" not in out
    assert "asked for" not in out
    assert "report   ptx-out/runs/a/report/report.html" in out
    assert not silent()
    assert SILENCE not in os.environ


def test_what_failed_is_said_on_standard_error(ptx):
    code, out, err = ptx(*WORDS, "method.fail=true", "--quiet")
    assert code == 1
    assert "told to fail" in err
    assert "told to fail" not in out.partition("run ")[0]


def test_problems_of_the_words_are_said(ptx):
    code, out, err = ptx(*WORDS, "method.rate=-1", "--quiet")
    assert (code, out) == (2, "")
    assert "method.rate must be positive" in err
    assert not Path("ptx-out").exists()
