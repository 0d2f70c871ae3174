"""Every deliberate mistake is stopped or warned of by its name, and every good layout passes in silence."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path

import pytest

import ptx_tiny
from ptx.cli.check import main
from ptx.compose.jobs import compose_jobs
from ptx.errors import ConfigError
from ptx.hooks.host import get_host
from ptx.plan.planner import make_plan
from tests.ptx.cli.check.good import GOOD
from tests.ptx.cli.check.mistakes import MISTAKES, STOPS, WARNS

TINY = Path(ptx_tiny.__file__).parent / "model"


@cache
def composed(verb, words):
    return compose_jobs(get_host(), verb, list(words))


@pytest.fixture
def checked(tmp_path, monkeypatch, capsys):
    """What ``ptx check --json`` says of a case; the same words are composed once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ptx.cli.check.compose_jobs", lambda _host, verb, words: composed(verb, tuple(words)))

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


@pytest.mark.parametrize("name", GOOD)
def test_good_data_passes_without_a_word(checked, name):
    said = checked(GOOD[name])
    assert said["findings"] == []
    assert said["usable"]


@pytest.mark.parametrize(
    "name", ["identical sides", "mojibake", "labels in blocks", "the end token is outside the loss"]
)
def test_a_finding_is_waived_by_its_name(checked, name):
    case = MISTAKES[name]
    said = checked(case, f"check.allow=[{case.name}]")
    assert said["usable"]
    assert case.name not in [one["name"] for one in said["findings"]]


def of_each_finding():
    """One mistake for each name of a finding and each method, and one good layout for each method."""
    cases = {(case.name, case.method): name for name, case in MISTAKES.items() if case.method}
    good = {case.method: name for name, case in GOOD.items() if case.method}
    return [*cases.values(), *good.values()]


@pytest.mark.parametrize("name", of_each_finding())
def test_the_plan_finds_what_the_check_finds(checked, name):
    case = (MISTAKES | GOOD)[name]
    found = checked(case)
    model = "./model" if case.edit or case.generation else "tiny"
    words = (f"data=./{case.file}", f"model={model}", f"method={case.method}", *case.words)
    stopped, noted = planned(words)
    told = {STOPS: [], WARNS: []}
    for one in found["findings"]:
        told[one["severity"]].append("; ".join(filter(None, (one["what"], one["fix"]))))
    assert sorted(told[STOPS]) == sorted(stopped)
    if stopped:
        return  # a plan that stops tells why alone
    start = f"{case.file}: "
    notes = [note.removeprefix(start) for note in noted]
    on_rows = [note.removeprefix(start) for note in noted if note.startswith(start)]
    assert [note for note in told[WARNS] if note not in notes] == []
    assert [note for note in on_rows if note not in told[WARNS]] == []


def planned(words):
    """The problems of the plan of a training, and its notes."""
    try:
        plan = make_plan(get_host(), "train", composed("train", words), "ptx train")
    except ConfigError as error:
        return [str(problem) for problem in error.problems], []
    return [], plan.notes


def test_there_are_enough_of_both():
    assert len(MISTAKES) >= 100
    assert len(GOOD) >= 30
