"""A masked model computes what a model with the removed units' weights set to zero computes."""

import pytest
import torch

from ptx_structured_pruning.masks import without_layers, without_units


@pytest.mark.parametrize("hidden", [48, 32])
def test_masked_units_give_what_zeroed_weights_give(network, output, same, random_kept, zeroed, hidden):
    kept, whole = random_kept(hidden), output(network)
    with without_units(network, kept, 10):
        masked = output(network)
    assert same(masked, output(zeroed(network, kept)))
    assert not same(masked, whole)
    assert same(output(network), whole), "the masks are off again"


def test_a_skipped_layer_gives_what_a_layer_that_adds_nothing_gives(network, output, same):
    whole = output(network)
    with without_layers(network, [1, 3]):
        skipped = output(network)
    assert same(output(network), whole), "the layers are back"
    assert not same(skipped, whole)
    with torch.no_grad():
        for layer in (network.model.layers[1], network.model.layers[3]):
            for writer in (layer.self_attn.o_proj, layer.mlp.down_proj):
                for parameter in writer.parameters():
                    parameter.zero_()
    assert same(output(network), skipped)
