"""The plugins' section: broken ones, ones that are switched off, and libraries that choices lack."""

from __future__ import annotations

from dataclasses import replace

from ptx.cli.doctor.plugins import look
from ptx.hooks.host import load_host


def test_a_choice_whose_library_is_missing_is_named_with_the_line_for_pip(toy_host):
    key = ("method", "toy")
    toy_host.choices[key] = replace(toy_host.choices[key], libraries=("bowl-absent", "numpy"))
    line = next(line for line in look(toy_host) if line.about == "method=toy")
    assert (line.found, line.severity) == ("needs bowl-absent", "note")
    assert line.fix == "pip install 'bowl-absent'"


def test_what_is_switched_off_is_no_fault(tmp_path):
    host = load_host(tmp_path, {"PTX_DISABLE": "wandb"})
    line = next(line for line in look(host) if line.about == "wandb")
    assert (line.severity, line.found) == ("note", "not loaded: disabled by PTX_DISABLE")


def test_code_and_configurations_of_the_working_folder_are_told(tmp_path, monkeypatch):
    (tmp_path / "ptxfile.py").write_text("")
    (tmp_path / "conf").mkdir()
    monkeypatch.chdir(tmp_path)
    told = {line.about for line in look(load_host(tmp_path, {}))}
    assert {"ptxfile.py", "./conf"} <= told
