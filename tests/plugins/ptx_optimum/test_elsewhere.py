"""The pure parts of the script; and, with PTX_TEST_OPTIMUM=its Python, the real export."""

import json
import os
import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import ptx_optimum
from ptx import ModelRef, RunConfig
from ptx.files import read_rows
from ptx.lm.load import load_tokenizer
from ptx_hf import HF
from ptx_hf import ptx_load as open_hf
from ptx_optimum import OnnxOptimum, ptx_load
from ptx_optimum.elsewhere import Rows, products, readable, ways
from tests.plugins.conftest import TEMPLATE, save_tiny_llama

PROMPTS = ["Once upon a time", "The", "Lily and Tom went to the park", "Once upon a tide"]


def test_transformers_4_finds_the_rotary_base_and_its_scaling(model, tmp_path):
    described = json.loads((model / "config.json").read_text())
    changed = tmp_path / "model"
    shutil.copytree(model, changed)
    rope = {"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0}
    (changed / "config.json").write_text(json.dumps(described | {"rope_parameters": rope}))
    folder = readable(changed, tmp_path / "readable")
    read = json.loads((folder / "config.json").read_text())
    assert read["rope_theta"] == 500.0
    assert read["rope_scaling"] == {"rope_type": "linear", "factor": 2.0}
    assert "rope_parameters" not in read
    assert (folder / "model.safetensors").resolve() == (changed / "model.safetensors").resolve()


def test_only_products_by_a_weight_are_quantised(tmp_path):
    value = lambda name, *shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"], name="by a weight"),
        helper.make_node("Transpose", ["v"], ["t"], name="turned"),
        helper.make_node("MatMul", ["y", "t"], ["z"], name="by a turned weight"),
        helper.make_node("MatMul", ["z", "x"], ["out"], name="of two activations"),
    ]
    weights = [
        helper.make_tensor(name, TensorProto.FLOAT, (2, 2), np.ones(4, np.float32)) for name in ("w", "v")
    ]
    graph = helper.make_graph(nodes, "products", [value("x", 2, 2)], [value("out", 2, 2)], weights)
    onnx.save(helper.make_model(graph), tmp_path / "model.onnx")
    assert products(tmp_path / "model.onnx") == ["by a weight", "by a turned weight"]


def test_after_what_was_asked_for_sensitive_products_stay_in_float32():
    names = [
        "/model/layers.0/self_attn/q_proj/MatMul",
        "/model/layers.0/mlp/down_proj/MatMul",
        "/lm_head/MatMul",
    ]
    found = ways({"per_channel": True, "tries": 9}, names)
    assert found == {
        "as asked": (True, names),
        "down projections in float32": (True, [names[0], names[2]]),
        "output layer in float32": (True, names[:2]),
        "down projections and output layer in float32": (True, names[:1]),
    }
    assert list(ways({"per_channel": False, "tries": 2}, names)) == ["as asked", "a scale per output"]
    assert list(ways({"per_channel": True, "tries": 1}, names)) == ["as asked"]


def test_calibration_texts_are_read_one_by_one_with_an_empty_cache(package):
    rows = Rows([[3, 5, 7], [2]], package / "model.onnx")
    first, second = rows
    assert len(rows) == 2
    assert set(first) == {"input_ids", "past_key_values.0.key"}
    assert first["input_ids"].tolist() == [3, 5, 7]
    assert second["past_key_values.0.key"].shape == (1, 0, 1)


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("PTX_TEST_OPTIMUM"), reason="PTX_TEST_OPTIMUM does not name a Python with optimum-onnx"
)
@pytest.mark.parametrize(("mode", "most"), [("fp32", 1e-6), ("dynamic", 0.05), ("static", 1.0)])
def test_the_real_export_is_the_model_as_far_as_its_bits_go(mode, most, tmp_path, make_run):
    # a rotary base other than 10000: transformers 4 would not find it where transformers 5 writes it
    rope = {"rope_type": "default", "rope_theta": 500.0}
    model = save_tiny_llama(
        tmp_path / "chat", TEMPLATE, hidden_size=64, num_attention_heads=4, rope_parameters=rope
    )
    config = OnnxOptimum(mode=mode, python=os.environ["PTX_TEST_OPTIMUM"], max_perplexity_ratio=1e6)
    run = make_run(RunConfig(runtime=config), [ptx_optimum]).at(record=tmp_path)
    made = run.host.first("ptx_export", run=run, runtime=config, model=ModelRef.of(model))
    logged = [event for event in read_rows(run.events) if event["event"] == "log"][-1]["metrics"]
    assert logged["kl"] < most
    if mode == "fp32":
        expected = open_hf(HF(), ModelRef.of(model), "cpu").generate(PROMPTS, 12)
        assert ptx_load(config, made).generate(PROMPTS, 12) == expected
    assert load_tokenizer(made.path).get_vocab() == load_tokenizer(model).get_vocab()
