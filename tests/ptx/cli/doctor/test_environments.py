"""Other environments: the Python of this one stands in for another."""

from __future__ import annotations

import sys
from pathlib import Path

from ptx.cli.doctor.environments import look, requirements_of
from ptx.hooks.host import load_host


def test_each_choice_with_an_environment_of_its_own_is_held_against_a_named_python(tmp_path):
    host = load_host(tmp_path, {})
    lines = {line.about: line for line in look(host, [Path(sys.executable)])}
    assert set(requirements_of(host)) == {"runtime=onnx_optimum", "runtime=openvino", "runtime=vllm"}
    assert lines["runtime=vllm"].severity == "note"
    assert "lacks vllm==" in lines["runtime=vllm"].found
    assert "-m pip install -r " in lines["runtime=vllm"].fix


def test_without_a_name_it_is_said_how_to_make_one(tmp_path, monkeypatch):
    monkeypatch.delenv("PTX_STEP_PYTHON", raising=False)
    (line,) = look(load_host(tmp_path, {}), [])
    assert (line.severity, "VENV/bin/python" in line.fix) == ("note", True)


def test_a_python_that_is_not_there_is_wrong(tmp_path):
    line = look(load_host(tmp_path, {}), [tmp_path / "none"])[0]
    assert (line.severity, line.found) == ("wrong", f"there is no Python at {tmp_path / 'none'}")
