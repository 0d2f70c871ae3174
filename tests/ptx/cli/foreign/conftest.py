"""Files of other tools, and what ptx makes of them."""

from __future__ import annotations

import json

import pytest
import yaml

from ptx.cli import main


@pytest.fixture
def imported(tmp_path, monkeypatch, capsys):
    """``imported({"base_model": ...})``: what ``ptx import FILE --json`` prints, its words as a dict."""
    monkeypatch.chdir(tmp_path)

    def run(settings):
        (tmp_path / "their.yaml").write_text(yaml.safe_dump(settings))
        capsys.readouterr()
        assert main(["import", "their.yaml", "--json"]) == 0, capsys.readouterr().err
        said = json.loads(capsys.readouterr().out)
        return said | {"words": dict(word.split("=", 1) for word in said["words"])}

    return run
