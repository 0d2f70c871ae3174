"""A small model, and a package with a graph made here."""

import json
import shutil

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from ptx import ModelRef
from ptx.models.package import write_package
from ptx_openvino import OpenVino
from tests.plugins.conftest import TEMPLATE, save_tiny_llama


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny_llama(tmp_path_factory.mktemp("models") / "chat", TEMPLATE)


@pytest.fixture(scope="module")
def package(model, tmp_path_factory):
    """A package whose graph keeps a state: what it says next depends on the sum of all tokens so far."""
    folder = tmp_path_factory.mktemp("packages") / "sums"
    shutil.copytree(model, folder)
    write_graph(folder / "openvino_model.xml", json.loads((model / "config.json").read_text())["vocab_size"])
    write_package(folder, "openvino", "", {"properties": OpenVino(compute="float32").properties})
    return ModelRef.of(folder, "package")


def write_graph(file, width):
    """scores[v] = sin((v + 1) / width * sum of the tokens so far): the state is the sum."""
    ids = ops.parameter([-1, -1], np.int64, name="input_ids")  # (B, T)
    ids.output(0).set_names({"input_ids"})
    floats = ops.convert(ids, "f32")
    zero = ops.multiply(ops.reduce_sum(floats, np.array([1]), keep_dims=True), np.float32(0))
    before = ops.read_value(zero, "sum", openvino.Type.f32, openvino.PartialShape([-1, 1]))
    sums = ops.add(ops.cum_sum(floats, np.int64(1)), before)
    kept = ops.assign(ops.gather(sums, np.array([-1]), np.int64(1)), "sum")
    words = ops.constant(np.arange(1, width + 1, dtype=np.float32) / width)
    logits = ops.sin(ops.multiply(ops.unsqueeze(sums, np.int64(2)), words))
    openvino.save_model(openvino.Model([ops.result(logits)], [kept], [ids]), file, compress_to_fp16=False)
