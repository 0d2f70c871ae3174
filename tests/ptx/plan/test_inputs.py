"""Models and data of several jobs are resolved once, and their problems are reported once."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import pytest

from ptx import Choice, Model, hookimpl, setting
from ptx.builtin import PathData, PathModel
from ptx.plan.inputs import Inputs, open_choice


@dataclass
class Counted(Model):
    name: str = setting("model", "the folder")


@pytest.fixture
def counting(host_with, toy, desk):
    """A host, and the values that its plugin was asked to resolve."""
    asked = []

    class Plugin:
        @hookimpl
        def ptx_choices(self):
            return [Choice("model", "counted", Counted)]

        @hookimpl
        def ptx_resolve(self, value):
            if not isinstance(value, Counted):
                return None
            asked.append(value.name)
            return desk / value.name

    return host_with(toy=toy, plugin=Plugin()), asked


def test_equal_values_are_resolved_once(counting):
    host, asked = counting
    inputs = Inputs(host)
    first, second = inputs.model(Counted()), inputs.model(Counted())
    assert first == second
    assert (first[0].kind, first[1].architecture) == ("full", "LlamaForCausalLM")
    assert asked == ["model"]


def test_what_one_plan_has_resolved_serves_the_next(counting):
    host, asked = counting
    resolved = {}
    for _ in range(2):
        assert Inputs(host, resolved).model(Counted()) is not None
    assert asked == ["model"]


def test_the_problem_of_a_value_is_reported_once(counting, desk):
    host, _ = counting
    inputs = Inputs(host)
    assert [inputs.model(Counted("lost")) for _ in range(3)] == [None, None, None]
    assert [problem.what for problem in inputs.problems] == [f"there is no model folder {desk / 'lost'}"]


def test_an_adapter_has_the_facts_of_its_base_and_changes_with_it(toy_host, desk):
    adapter = desk / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "../model"}')
    shutil.copy(desk / "model" / "model.safetensors", adapter / "adapter_model.safetensors")
    _, base = Inputs(toy_host).model(PathModel(path="./model"))
    first, facts = Inputs(toy_host).model(PathModel(path="./adapter"))
    assert first.kind == "adapter"
    assert (facts.architecture, facts.parameters) == (base.architecture, base.parameters)
    assert Inputs(toy_host).model(PathModel(path="./adapter"))[0] == first
    (desk / "model" / "generation_config.json").write_text("{}")
    assert Inputs(toy_host).model(PathModel(path="./adapter"))[0].digest != first.digest


def test_a_base_on_the_hub_is_asked_for_and_its_absence_explained(toy_host, desk):
    adapter = desk / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "org/base"}')
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    inputs = Inputs(toy_host)  # it has no plugin for the hub
    assert inputs.model(PathModel(path="./adapter")) is None
    said = " ".join(map(str, inputs.problems))
    assert "adapter belongs to org/base, which is not on this machine; restore it, or correct" in said


def test_a_run_without_data_has_none(toy_host):
    inputs = Inputs(toy_host)
    assert inputs.data(None) is None
    assert inputs.problems == []


def test_data_is_opened_with_the_columns_and_the_limit_of_its_choice(toy_host, desk):
    (desk / "my.csv").write_text("sentence\na\nb\nc\n")
    data = open_choice(toy_host, PathData(path="./my.csv", columns={"text": "sentence"}, limit=2))
    assert data.name == "./my.csv"
    assert data.rows("text") == [{"text": "a"}, {"text": "b"}]
