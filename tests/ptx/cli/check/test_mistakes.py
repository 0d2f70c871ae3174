"""Every deliberate mistake is stopped or warned of by its name, and every good layout passes in silence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import ptx_tiny
from ptx.cli.check import main
from tests.ptx.cli.check.mistakes import MISTAKES, STOPS

TINY = Path(ptx_tiny.__file__).parent / "model"


@pytest.fixture
def checked(tmp_path, monkeypatch, capsys):
    """What ``ptx check --json`` says of a case."""
    monkeypatch.chdir(tmp_path)

    def checked(case, *words):
        write(case, tmp_path)
        model = changed(case, tmp_path) if case.edit or case.generation else "tiny"
        method = [f"method={case.method}"] if case.method else []
        main("check", [f"data=./{case.file}", f"model={model}", *method, *case.words, *words, "--json"])
        return json.loads(capsys.readouterr().out)

    return checked


def write(case, folder):
    for name, content in ((case.file, case.content), *case.beside):
        (folder / name).write_bytes(content)


def changed(case, folder):
    """A copy of the embedded model with another chat template, or other stops."""
    shutil.copytree(TINY, folder / "model")
    if case.edit:
        file = folder / "model/chat_template.jinja"
        source = file.read_text()
        assert case.edit(source) != source
        file.write_text(case.edit(source))
    if case.generation:
        file = folder / "model/generation_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **case.generation}))
    return "./model"


def named(said, case):
    """The findings that a case asks for."""
    texts = [
        f"{one['what']}; {one['fix']}"
        for one in said["findings"]
        if (one["name"], one["severity"]) == (case.name, case.severity)
    ]
    return [text for text in texts if all(part in text for part in case.holds)]


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found_by_its_name_with_its_place_and_a_fix(checked, name):
    case = MISTAKES[name]
    said = checked(case)
    assert said["usable"] is (case.severity != STOPS), said["findings"]
    assert named(said, case), said["findings"]
