import numpy as np
import pytest

from ptx.lm.load import load_model
from ptx_gguf.files import context_of, interleaved, rope_factors, tensors_of
from tests.architectures import LLAMA3
from tests.plugins.conftest import save_tiny_llama


def test_a_scaled_rotary_embedding_is_written_as_factors(tmp_path):
    plain = load_model(save_tiny_llama(tmp_path / "plain", None))
    np.testing.assert_allclose(rope_factors(plain), 1, rtol=1e-5)
    scaled = load_model(save_tiny_llama(tmp_path / "scaled", None, rope_parameters=LLAMA3))
    factors = rope_factors(scaled)
    assert factors[0] == pytest.approx(1)
    assert factors[-1] == pytest.approx(8)
    names = [name for _, name, _ in tensors_of(scaled, "llama", scaled.config)]
    assert "rope_freqs.weight" in names
    assert "rope_freqs.weight" not in [name for _, name, _ in tensors_of(plain, "llama", plain.config)]


def test_a_bias_of_queries_is_ordered_as_their_weights():
    """llama.cpp rotates neighbours; a bias in the other order is another model."""
    weight = np.arange(8, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    np.testing.assert_array_equal(interleaved(weight[:, 0], 2), interleaved(weight, 2)[:, 0])


def test_a_window_ends_the_context_that_the_file_promises(tmp_path):
    config = load_model(save_tiny_llama(tmp_path / "model", None)).config
    assert context_of(config) == 256
    config.sliding_window = 64
    assert context_of(config) == 64
    config.layer_types = ["full_attention"] * 2
    assert context_of(config) == 256
