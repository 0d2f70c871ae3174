"""The smaller model computes what the original computes with the removed units' weights set to zero.

This holds in every architecture that is known.
"""

import pytest
import torch

from ptx.lm.load import load_model
from ptx_structured_pruning.compress import _save, _state
from ptx_structured_pruning.cut import config_of, config_without_layers, state_of, state_without_layers
from ptx_structured_pruning.layout import Sizes
from ptx_structured_pruning.masks import without_layers


@pytest.mark.parametrize("hidden", [48, 32])
def test_a_narrower_model_is_the_original_with_zeros(
    network, output, same, random_kept, zeroed, tmp_path, hidden
):
    kept, before = random_kept(hidden), Sizes.of(network.config.to_dict())
    expected = output(zeroed(network, kept))
    after = Sizes(4, hidden, 24, 2, 1, 10)
    _save(
        network,
        config_of(after, before, network.config.rms_norm_eps),
        state_of(network, kept, before),
        tmp_path / "model",
    )
    smaller = load_model(tmp_path / "model")
    assert Sizes.of(smaller.config.to_dict()) == after
    assert smaller.config.tie_word_embeddings == network.config.tie_word_embeddings
    assert same(output(smaller), expected)
    assert not same(output(smaller), output(network))


def test_a_shallower_model_is_the_original_with_layers_passed_over(network, output, same, tmp_path):
    with without_layers(network, [0, 2]):
        expected = output(network)
    state = state_without_layers(_state(network), 4, [0, 2])
    _save(network, config_without_layers(network.config, [0, 2]), state, tmp_path / "model")
    smaller = load_model(tmp_path / "model")
    assert same(output(smaller), expected)
    assert not same(output(smaller), output(network))
    types = getattr(network.config, "layer_types", None)
    assert getattr(smaller.config, "layer_types", None) == (types and [types[1], types[3]])
    generated = smaller.generate(torch.tensor([[1, 5, 9]]), max_new_tokens=4, do_sample=False)
    assert generated.shape[1] > 3  # the cache fits the layers that are left
