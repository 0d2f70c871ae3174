"""``ptx doctor``: every section, the same as JSON, and the exit code."""

from __future__ import annotations

import json

import pytest

from ptx.cli import main


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)


def test_every_section_is_printed_and_a_sound_installation_ends_with_0(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if not line.startswith(" ")][:-1] == [
        "installation",
        "plugins",
        "machine",
        "hub",
        "other environments",
    ]
    assert "0 wrong (!!)" in out


def test_json_holds_the_same_lines(capsys):
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {line["severity"] for lines in found.values() for line in lines} <= {"fine", "note"}
    assert found["plugins"][0]["found"].endswith("choices")


def test_a_broken_ptxfile_is_a_line_and_not_the_end(tmp_path, capsys):
    (tmp_path / "ptxfile.py").write_text("import nowhere_to_be_found\n")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "!!  ptxfile: not loaded: " in out
    assert "PTX_DISABLE=ptxfile" in out
