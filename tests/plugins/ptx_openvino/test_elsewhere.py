"""The pure parts of the script; and, with PTX_TEST_OPENVINO=its Python, the real export."""

import os
import sys
from dataclasses import asdict
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import pytest

import ptx_openvino
from ptx import ModelRef, RunConfig
from ptx.files import read_rows
from ptx_hf import HF
from ptx_hf import ptx_load as open_hf
from ptx_openvino import OpenVino, ptx_load
from tests.plugins.conftest import TEMPLATE, save_tiny_llama

PROMPTS = ["Once upon a time", "The", "Lily and Tom went to the park", "Once upon a tide"]


@pytest.fixture
def script(monkeypatch):
    """The script, with a stand-in for optimum-intel that returns the settings it gets."""
    for name in ("CI", "NNCF_CI"):
        monkeypatch.setenv(name, "")
    monkeypatch.setitem(sys.modules, "torchvision", None)
    intel = ModuleType("optimum.intel")
    intel.OVWeightQuantizationConfig = dict
    monkeypatch.setitem(sys.modules, "optimum.intel", intel)
    found = spec_from_file_location("elsewhere", OpenVino().outside().script)
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_usage_data_is_off_and_torchvision_is_blocked(script):
    assert (os.environ["CI"], os.environ["NNCF_CI"]) == ("true", "1")
    assert sys.modules["torchvision"] is None


def test_the_settings_become_those_of_nncf(script, tmp_path):
    rounding = lambda **settings: script.rounding(asdict(OpenVino(**settings)), tmp_path, 0)
    assert rounding(precision="fp32") is None
    assert rounding(precision="int8", symmetric=True) == {"bits": 8, "sym": True}
    int4 = {"bits": 4, "sym": False, "group_size": 32, "group_size_fallback": "adjust", "ratio": 1.0}
    assert rounding(precision="int4") == int4
    assert rounding(precision="int4", algorithm="awq") == int4 | {"quant_method": "awq"}


def test_after_what_was_asked_for_come_larger_packages_up_to_the_number_of_tries(script):
    ways = lambda **settings: script.ways(asdict(OpenVino(**settings)))
    found = dict(ways(precision="int4", group_size=128, tries=5))
    names = ["as asked", "4 bits in groups of 32", "4 bits in 80% of the weights"]
    assert list(found) == [*names, "4 bits in 50% of the weights", "8 bits everywhere"]
    assert [one.get("ratio", 1.0) for one in found.values()] == [1.0, 1.0, 0.8, 0.5, 1.0]
    assert [one["group_size"] for one in found.values()][:4] == [128, 32, 32, 32]
    assert found["8 bits everywhere"]["precision"] == "int8"
    gptq = dict(ways(precision="int4", algorithm="gptq"))
    assert gptq["4 bits in 50% of the weights"]["algorithm"] == "gptq"
    assert gptq["8 bits everywhere"]["algorithm"] == "rtn"  # 8 bits have no other
    assert [name for name, _ in ways(precision="int4", tries=1)] == ["as asked"]
    assert [name for name, _ in ways(precision="int8")] == ["as asked"]
    assert [name for name, _ in ways(symmetric=True)] == ["as asked", "8 bits with zero points"]
    assert ways(precision="fp32") == []


def test_algorithms_that_need_text_get_the_models_own(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "own_texts", lambda source, count, seed: [f"text {seed}"] * count)
    config = asdict(OpenVino(precision="int4", algorithm="gptq", calibration_rows=3))
    found = script.rounding(config, tmp_path, 7)
    assert found["gptq"] is True
    assert found["dataset"] == ["text 7"] * 3
    assert found["num_samples"] == 3


def test_own_texts_follow_the_seed(script, model):
    first, again, other = (script.own_texts(model, 2, seed) for seed in (0, 0, 1))
    assert first == again != other
    assert len(first) == 2


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("PTX_TEST_OPENVINO"),
    reason="PTX_TEST_OPENVINO does not name a Python with optimum-intel",
)
@pytest.mark.parametrize(
    ("settings", "most"),
    [
        ({"precision": "fp32"}, 1e-6),
        ({"precision": "int8"}, 0.05),
        ({"precision": "int4", "symmetric": True}, 1.0),
        ({"precision": "int4", "algorithm": "gptq", "calibration_rows": 4}, 1.0),
        ({"precision": "int4", "algorithm": "awq"}, 1.0),
        ({"precision": "int4", "algorithm": "scale_estimation", "calibration_rows": 4}, 1.0),
    ],
)
def test_the_real_export_is_the_model_as_far_as_its_bits_go(settings, most, tmp_path, make_run):
    rope = {"rope_type": "default", "rope_theta": 500.0}
    model = save_tiny_llama(
        tmp_path / "chat", TEMPLATE, hidden_size=64, num_attention_heads=4, rope_parameters=rope
    )
    config = OpenVino(**settings, python=os.environ["PTX_TEST_OPENVINO"], max_perplexity_ratio=1e6)
    run = make_run(RunConfig(runtime=config), [ptx_openvino]).at(record=tmp_path)
    made = run.host.first("ptx_export", run=run, runtime=config, model=ModelRef.of(model))
    logged = [event for event in read_rows(run.events) if event["event"] == "log"][-1]["metrics"]
    assert logged["kl"] < most
    if settings["precision"] == "fp32":
        expected = open_hf(HF(), ModelRef.of(model), "cpu").generate(PROMPTS, 12)
        assert ptx_load(config, made).generate(PROMPTS, 12) == expected
