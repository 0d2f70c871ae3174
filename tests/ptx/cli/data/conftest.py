"""``ptx data`` in this process, and files for it."""

from __future__ import annotations

import json

import pytest

from ptx.cli import main


@pytest.fixture
def data(tmp_path, monkeypatch, capsys):
    """``data("split", "test=0.2", rows=[...])``: exit code and what was printed; the rows are my.jsonl."""
    monkeypatch.chdir(tmp_path)

    def run(verb, *words, rows=None):
        if rows is not None:
            (tmp_path / "my.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        capsys.readouterr()
        code = main(["data", verb, *(["data=./my.jsonl"] if rows is not None else []), *words])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@pytest.fixture
def written(tmp_path):
    """The rows of a file that was written."""

    def read(name):
        return [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]

    return read
