"""Dataclasses of a composed configuration, or all that they refuse."""

from omegaconf import OmegaConf

from ptx.compose.typed import typed, untyped
from ptx.config import RunConfig


def test_a_configuration_becomes_its_dataclass():
    config, problems = typed(OmegaConf.structured(RunConfig(seed=4, threads=2)))
    assert config == RunConfig(seed=4, threads=2)
    assert not problems


def test_a_value_that_refers_to_nothing_is_named_with_its_field():
    node = OmegaConf.structured(RunConfig)
    node.name = "${nowhere}"
    config, problems = typed(node)
    assert config is None
    assert str(problems[0]).startswith("name: ")
    assert "nowhere" in str(problems[0])


def test_a_value_that_is_no_choice_is_a_problem_of_its_place():
    (problem,) = untyped({"runtime": {"a": 1}, "seed": 3})
    assert str(problem).startswith("runtime is set to {'a': 1}, which is no choice")
    (problem,) = untyped({"eval": {"bench": "x"}})
    assert str(problem).startswith("eval.bench is set to 'x'")
