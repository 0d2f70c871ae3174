"""``ptx plugins``: every choice with its plugin, the fields of one, and what could not be loaded."""

from __future__ import annotations

import json

import pytest

from ptx.cli.plugins import presets
from ptx.hooks.host import load_host


@pytest.fixture
def host(toy_host, monkeypatch):
    monkeypatch.setattr("ptx.cli.plugins.get_host", lambda: toy_host)
    monkeypatch.setenv("COLUMNS", "200")
    return toy_host


def test_every_choice_is_listed_with_its_group_and_its_plugin(host, ptx):
    code, out, _ = ptx("plugins")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert ["method", "toy", "adds", "the", "rate", "toy", "1"] in rows
    listed = {tuple(row[:2]) for row in rows if len(row) > 1}
    assert set(host.choices) <= listed


def test_a_group_lists_its_choices_alone(host, ptx):
    code, out, _ = ptx("plugins", "method")
    assert code == 0
    assert {line.split()[0] for line in out.splitlines()[1:] if line.strip()} == {"method"}
    assert "toy" in out


def test_json_gives_the_choices_of_a_group_a_plugin_or_a_name_with_their_fields(host, ptx):
    code, out, _ = ptx("plugins", "toy", "--json")
    choice = next(one for one in json.loads(out) if (one["group"], one["name"]) == ("method", "toy"))
    assert (code, choice["name"], choice["plugin"]) == (0, "toy", "toy")
    assert {"method.rate"} <= {field["name"] for field in choice["fields"]}
    everything = json.loads(ptx("plugins", "--json")[1])
    assert {one["group"] for one in json.loads(ptx("plugins", "method", "--json")[1])} == {"method"}
    assert len(everything) == len(host.choices)


def test_the_fields_of_a_choice_are_shown_with_defaults_as_they_are_typed(host, ptx):
    out = ptx("plugins", "toy")[1]
    assert "method=toy adds the rate" in out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "method.rate 0.1 how fast" in lines
    assert "method.args {} free" in lines


def test_a_field_of_a_group_of_several_names_its_choice(host, ptx):
    lines = [" ".join(line.split()) for line in ptx("plugins", "halve")[1].splitlines()]
    assert lines[0] == "compress=[halve]"
    assert "compress.halve.keep 0.5 share kept" in lines


def test_a_field_of_what_a_method_trains_with_is_typed_below_the_method(qat_host, ptx, monkeypatch):
    monkeypatch.setattr("ptx.cli.plugins.get_host", lambda: qat_host)
    assert "method.qat.digits" in ptx("plugins", "coarse")[1]


def test_an_unknown_name_is_answered_with_the_nearest(host, ptx):
    code, _, err = ptx("plugins", "halv")
    assert (code, err.strip()) == (2, "ptx: no choice or plugin 'halv'; did you mean 'halve'?")


def test_a_plugin_that_cannot_be_loaded_is_named_with_the_reason(desk, ptx, monkeypatch):
    (desk / "ptxfile.py").write_text("import nowhere_to_be_found\n")
    host = load_host(desk, {})
    monkeypatch.setattr("ptx.cli.plugins.get_host", lambda: host)
    out = " ".join(ptx("plugins")[1].split())
    assert "not loaded: ptxfile" in out
    assert "nowhere_to_be_found" in out


def test_presets_are_the_yaml_files_that_are_no_choices(toy_host, desk):
    (desk / "conf" / "compress").mkdir(parents=True)
    (desk / "conf" / "compress" / "quarter.yaml").write_text("defaults: [halve]\nkeep: 0.25\n")
    assert "quarter" in presets(toy_host)["compress"]
    assert "halve" not in presets(toy_host)["compress"]


@pytest.mark.parametrize("columns", ["0", "1", "wide"])
def test_a_terminal_without_a_width_gets_the_same_lines(host, ptx, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    assert "adds the rate" in ptx("plugins", "method")[1]
