"""The base types of the groups: what a choice is when it says nothing."""

from __future__ import annotations

import dataclasses
import sys

import pytest
from omegaconf import OmegaConf

from ptx import Compressor, Evaluator, Lora, Method, Runtime, Scorer
from ptx.config import FORMER_GROUPS, GROUPS, IN_METHOD, RunConfig
from ptx.config.kinds import Cluster, Launch, Part


def test_every_base_type_can_be_a_schema_of_hydra_and_has_defaults():
    for base, _ in GROUPS.values():
        OmegaConf.structured(base)
        assert base() == base()


def test_every_setting_of_a_base_type_has_help():
    for base, _ in GROUPS.values():
        for field in dataclasses.fields(base):
            assert field.metadata.get("help"), f"{base.__name__}.{field.name}"


def test_a_part_that_says_nothing_reads_nothing_and_asks_nobody():
    for part in (Method(), Evaluator(), Runtime(), Scorer()):
        assert isinstance(part, Part)
        assert (part.inputs(), part.scorers(), part.models({}), part.outside()) == ([], [], {}, None)
        assert (part.needs, part.reads) == ((), ())


def test_a_compressor_calibrates_by_default_and_promises_to_keep_zeros():
    assert Compressor.needs == ("calibration",)
    assert Compressor().promise().keeps_zeros
    assert Compressor().promise().sparsity is None


@pytest.mark.parametrize("name", ["r", "alpha"])
def test_adapters_without_a_rank_or_a_scale_are_refused(name):
    with pytest.raises(ValueError, match=rf"method\.lora\.{name} must be at least 1, got 0"):
        Lora(**{name: 0})


def test_an_evaluator_keeps_its_settings_unless_they_follow_from_the_run():
    evaluator = Evaluator()
    assert evaluator.resolved(RunConfig()) is evaluator


def test_a_launcher_is_one_process_of_this_python_that_decides_nothing():
    launch = Launch()
    assert (launch.ranks, launch.shards, launch.decides()) == (1, False, {})
    assert launch.command(["ptx.execute.child", "spec.json"]) == [
        sys.executable,
        "-m",
        "ptx.execute.child",
        "spec.json",
    ]
    assert Cluster().problems(RunConfig()) == []


def test_groups_of_a_method_and_former_groups_lead_to_groups_that_exist():
    assert set(IN_METHOD) <= set(GROUPS)
    assert set(FORMER_GROUPS.values()) <= set(GROUPS)
    assert not set(FORMER_GROUPS) & set(GROUPS)
    assert set(IN_METHOD) <= {field.name for field in dataclasses.fields(Method)}
