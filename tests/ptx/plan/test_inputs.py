"""Models and data of several jobs are resolved once, and their problems are reported once."""

from __future__ import annotations

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


def test_an_adapter_folder_is_known_by_its_configuration(toy_host, desk):
    (desk / "model" / "adapter_config.json").write_text("{}")
    ref, _ = Inputs(toy_host).model(PathModel(path="./model"))
    assert ref.kind == "adapter"


def test_a_run_without_data_has_none(toy_host):
    inputs = Inputs(toy_host)
    assert inputs.data(None) is None
    assert inputs.problems == []


def test_data_is_opened_with_the_columns_and_the_limit_of_its_choice(toy_host, desk):
    (desk / "my.csv").write_text("sentence\na\nb\nc\n")
    data = open_choice(toy_host, PathData(path="./my.csv", columns={"text": "sentence"}, limit=2))
    assert data.name == "./my.csv"
    assert data.rows("text") == [{"text": "a"}, {"text": "b"}]
