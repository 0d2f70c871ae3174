"""One field set by its dotted name, and the answer to a wrong name or value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from omegaconf import MISSING, OmegaConf

from ptx import Compressor, Method, setting
from ptx.compose.fields import set_field
from ptx.config import RunConfig


@dataclass
class Tuned(Method):
    rate: float = setting(0.1, "how fast")
    path: str = setting(MISSING, "a file")
    args: dict[str, Any] = setting({}, "free")


@dataclass
class Halved(Compressor):
    keep: float = setting(0.5, "share kept")


@pytest.fixture
def node():
    config = OmegaConf.structured(RunConfig)
    OmegaConf.set_struct(config, value=False)
    config.method = OmegaConf.structured(Tuned)
    config.compress = {"halved": OmegaConf.structured(Halved)}
    return config


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 3),
        ("method.rate", 0.5),
        ("method.path", "a.txt"),
        ("compress.halved.keep", 0.25),
        ("method.args.new", 1),
    ],
)
def test_a_field_is_set_wherever_it_stands(node, key, value):
    assert set_field(node, key, value) == []
    assert OmegaConf.select(node, key) == value


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("sed", "the configuration has no field 'sed'; did you mean 'seed'?"),
        ("method.rte", "method has no field 'rte'; did you mean 'rate'?"),
        ("compress.halved.kep", "compress.halved has no field 'kep'; did you mean 'keep'?"),
        (
            "compress.gptq.bits",
            "compress.gptq.bits: 'gptq' is not among compress=[halved]; add it: compress=[halved,gptq]",
        ),
        ("runtime.batch", "runtime.batch: no runtime is set; choose one with runtime=NAME"),
        ("method.lora.r", "method.lora.r: no lora is set; add lora=lora"),
    ],
)
def test_a_wrong_name_is_answered_with_what_to_type(node, key, answer):
    assert [str(problem) for problem in set_field(node, key, 1)] == [answer]


def test_a_wrong_type_is_answered_with_the_right_one(node):
    (problem,) = set_field(node, "method.rate", "fast")
    assert problem.what.startswith("method.rate=fast: Value 'fast'")
    assert problem.fix == "it must be float"
    assert node.method.rate == 0.1
