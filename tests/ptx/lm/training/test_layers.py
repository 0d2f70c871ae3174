"""Models with fewer layers: which layers stay, what else stays, and that plain loading works."""

import pytest
import torch

from ptx.errors import StepError
from ptx.lm.load import quiet
from ptx.lm.training.layers import evenly_spaced_layers, with_layers

quiet()

from transformers import (  # noqa: E402 (quieted first)
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    MambaConfig,
    Qwen3Config,
)

SMALL = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
}
IDS = torch.tensor([[1, 5, 9, 3]])


def built(config):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


def logits(network):
    with torch.no_grad():
        return network(input_ids=IDS).logits


def test_layers_are_spread_evenly_with_the_first_and_the_last():
    assert evenly_spaced_layers(12, 6) == [0, 2, 4, 7, 9, 11]
    assert evenly_spaced_layers(4, 2) == [0, 3]
    assert evenly_spaced_layers(3, 3) == [0, 1, 2]
    assert evenly_spaced_layers(5, 1) == [0]


CONFIGS = {
    "llama": LlamaConfig(**SMALL, num_hidden_layers=4),
    "tied": LlamaConfig(**SMALL, num_hidden_layers=4, tie_word_embeddings=True),
    "gpt2": GPT2Config(vocab_size=40, n_embd=16, n_head=2, n_layer=4),
    "kinds": Qwen3Config(
        **SMALL,
        num_hidden_layers=4,
        layer_types=["full_attention", "sliding_attention"] * 2,
        use_sliding_window=True,
        sliding_window=2,
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_all_layers_give_the_same_model_and_some_give_one_that_plain_loading_finds(name, tmp_path):
    network = built(CONFIGS[name])
    assert torch.equal(logits(with_layers(network, [0, 1, 2, 3])), logits(network))
    few = with_layers(network, [0, 3]).eval()
    few.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert loaded.config.num_hidden_layers == 2
    assert torch.equal(logits(loaded), logits(few))
    assert network.config.num_hidden_layers == 4


def test_a_kept_layer_keeps_its_kind():
    few = with_layers(built(CONFIGS["kinds"]), [1, 2])
    assert few.config.layer_types == ["sliding_attention", "full_attention"]


def test_the_kept_layers_are_those_that_were_named():
    """Layers that add nothing to the stream can be left out: the logits stay."""
    network = built(CONFIGS["llama"])
    with torch.no_grad():
        for layer in (1, 2):
            network.model.layers[layer].self_attn.o_proj.weight.zero_()
            network.model.layers[layer].mlp.down_proj.weight.zero_()
    assert torch.allclose(logits(with_layers(network, [0, 3])), logits(network), atol=1e-6)
    assert not torch.allclose(logits(with_layers(network, [0, 1])), logits(network), atol=1e-3)


def test_an_unknown_architecture_is_refused():
    network = built(MambaConfig(vocab_size=40, hidden_size=16, num_hidden_layers=2, state_size=4))
    state = network.state_dict()
    network.state_dict = lambda: {
        name.replace("backbone.layers.0.", "backbone.first."): value for name, value in state.items()
    }
    with pytest.raises(StepError, match="MambaForCausalLM cannot be built with fewer layers"):
        with_layers(network, [1])
