import copy

import numpy as np
import pytest
import torch

from ptx import StepError
from ptx.lm.load import load_model
from ptx_gguf.files import write
from ptx_gguf.tensors import interleaved, read_into, rope_factors, tensors_of
from tests.architectures import LLAMA3, build
from tests.plugins.conftest import save_tiny_llama
from tests.plugins.ptx_gguf.test_architectures import WRITTEN


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_read_back_is_the_model_in_its_own_order(tmp_path, name):
    network = load_model(folder := build(name, tmp_path / name))
    write(network, folder, tmp_path / "model.gguf", "f32")
    again = copy.deepcopy(network)
    with torch.no_grad():
        for weight in again.parameters():
            weight.zero_()
    read_into(again, tmp_path / "model.gguf")
    for (source, weight), other in zip(network.named_parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(weight, other, rtol=0, atol=2e-7, msg=source)  # 1 + weight is rounded


def test_a_file_that_lacks_a_weight_is_refused(tmp_path):
    small, large = (
        load_model(save_tiny_llama(tmp_path / f"{layers}", None, num_hidden_layers=layers))
        for layers in (1, 2)
    )
    write(small, tmp_path / "1", tmp_path / "model.gguf", "f32")
    with pytest.raises(StepError, match=r"the file has no blk\.1"):
        read_into(large, tmp_path / "model.gguf")


def test_a_scaled_rotary_embedding_is_written_as_factors(tmp_path):
    plain = load_model(save_tiny_llama(tmp_path / "plain", None))
    assert rope_factors(plain) is None
    scaled = load_model(save_tiny_llama(tmp_path / "scaled", None, rope_parameters=LLAMA3))
    factors = rope_factors(scaled)
    assert factors[0] == pytest.approx(1)
    assert factors[-1] == pytest.approx(8)
    names = [name for _, name, _ in tensors_of(scaled)]
    assert "rope_freqs.weight" in names
    assert "rope_freqs.weight" not in [name for _, name, _ in tensors_of(plain)]


def test_a_bias_of_queries_is_ordered_as_their_weights():
    """llama.cpp rotates neighbours; a bias in the other order is another model."""
    weight = np.arange(8, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    np.testing.assert_array_equal(interleaved(weight[:, 0], 2), interleaved(weight, 2)[:, 0])
