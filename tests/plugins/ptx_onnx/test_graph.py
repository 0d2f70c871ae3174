"""A rounded package computes with the rounded weights, to the last digits."""

import numpy as np
import pytest
import torch

from ptx.lm.load import load_model
from ptx.lm.serving.blocks import to_blocks
from ptx.lm.serving.fidelity import logits_of
from ptx_onnx.graph import Graph, pack
from ptx_onnx.model import OnnxLanguageModel

pytestmark = pytest.mark.slow  # the fixture runs the builder
ROW = [1, 50, 60, 70, 80, 90]


def rounded_network(chat_model, bits, size, zero):
    """The model with the weights that the integers of every matrix stand for; a tied embedding has no
    offsets."""
    network = load_model(chat_model).eval()
    with torch.no_grad():
        for name, layer in network.named_modules():
            if isinstance(layer, torch.nn.Linear):
                kind = "integer" if name == "lm_head" else zero
                layer.weight.copy_(to_blocks(layer.weight.detach(), bits, size, kind).values())
    return network


@pytest.mark.parametrize(
    ("bits", "size", "zero"),
    [(4, 32, "integer"), (4, 16, "middle"), (4, 32, "free"), (8, 32, "integer"), (8, 128, "integer")],
)
def test_the_package_is_the_model_with_rounded_weights(fp32_package, chat_model, tmp_path, bits, size, zero):
    """A block of 128 is padded; the output layer and the embedding share their integers."""
    graph = Graph(fp32_package)
    assert any(matrix.lookup is not None and matrix.product is not None for matrix in graph.matrices())
    for matrix in graph.matrices():
        kind = "integer" if matrix.lookup is not None else zero
        found = to_blocks(matrix.tensor(), bits, size, kind)
        graph.round(matrix, found, bits, middle=kind == "middle", accuracy=1)
    graph.save(tmp_path / "package")
    expected = logits_of(rounded_network(chat_model, bits, size, zero))(ROW)
    (found,) = OnnxLanguageModel(tmp_path / "package").logits([ROW])
    # offsets are stored as float16
    np.testing.assert_allclose(found, expected, atol=5e-3 if zero == "free" else 2e-4)
    weights = (tmp_path / "package" / "model.onnx.data").stat().st_size
    assert weights < (fp32_package / "model.onnx.data").stat().st_size


def test_a_matrix_without_a_format_stays_as_it_is(fp32_package, tmp_path):
    Graph(fp32_package).save(tmp_path / "package")
    (before,), (after,) = (
        OnnxLanguageModel(folder).logits([ROW]) for folder in (fp32_package, tmp_path / "package")
    )
    np.testing.assert_array_equal(before, after)


def test_integers_are_packed_with_the_first_in_the_low_bits():
    assert pack(np.array([[1, 2, 3]], np.uint8), 4).tolist() == [[0x21, 0x03]]
    assert pack(np.array([[7, 200]], np.uint8), 8).tolist() == [[7, 200]]
