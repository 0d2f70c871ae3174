"""A small model, and a package with a graph made here."""

import json
import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.plugins.conftest import TEMPLATE, save_tiny_llama


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny_llama(tmp_path_factory.mktemp("models") / "chat", TEMPLATE)


@pytest.fixture(scope="module")
def package(model, tmp_path_factory):
    """A folder with a graph that has a cache: what it says next depends on the sum of all tokens so far."""
    folder = tmp_path_factory.mktemp("packages") / "sums"
    shutil.copytree(model, folder)
    width = json.loads((model / "config.json").read_text())["vocab_size"]
    write_graph(folder / "model.onnx", width)
    return folder


def write_graph(file, width):
    """scores[v] = sin((v + 1) * sum of the tokens so far): the cache keeps the tokens."""
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["floats"], to=TensorProto.FLOAT),  # (B, T)
        helper.make_node("Unsqueeze", ["floats", "axes"], ["new"]),  # (B, 1, T, 1)
        helper.make_node("Concat", ["past_key_values.0.key", "new"], ["present.0.key"], axis=2),
        helper.make_node("CumSum", ["present.0.key", "two"], ["sums"]),
        helper.make_node("Shape", ["input_ids"], ["length"], start=1, end=2),
        helper.make_node("Neg", ["length"], ["start"]),
        helper.make_node("Slice", ["sums", "start", "most", "axis"], ["last"]),  # (B, 1, T, 1)
        helper.make_node("Squeeze", ["last", "one"], ["states"]),  # (B, T, 1)
        helper.make_node("Mul", ["states", "words"], ["angles"]),
        helper.make_node("Sin", ["angles"], ["logits"]),
    ]
    constants = {"axes": [1, 3], "two": 2, "most": [2**31], "axis": [2], "one": [1]}
    held = [helper.make_tensor(n, TensorProto.INT64, np.shape(v), np.ravel(v)) for n, v in constants.items()]
    held.append(helper.make_tensor("words", TensorProto.FLOAT, (width,), np.arange(1, width + 1) / width))
    cache = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", 1, f"{name} length", 1])
    graph = helper.make_graph(
        nodes,
        "sums",
        [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["B", "T"]),
            cache("past_key_values.0.key"),
        ],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", "T", width]),
            cache("present.0.key"),
        ],
        held,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), file)
