"""The smaller model computes what the original computes with the removed units' weights set to zero, in every
architecture that is known.
"""

import copy

import pytest
import torch
import transformers

from ptx.lm.load import load_model
from ptx_structured_pruning.cut import config_of, config_without_layers, state_of, state_without_layers
from ptx_structured_pruning.layout import Sizes, layout_problems
from ptx_structured_pruning.masks import Kept, without_layers, without_units
from ptx_structured_pruning.shrink import _save, _state
from ptx_structured_pruning.solver import kept_heads

SHAPE = {
    "vocab_size": 64,
    "hidden_size": 48,
    "intermediate_size": 40,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "head_dim": 10,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
KINDS = {
    "Llama": {},
    "Llama biased and tied": {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True},
    "Mistral": {},
    "Qwen2": {"use_sliding_window": True, "max_window_layers": 2, "sliding_window": 8},
    "Qwen3": {"tie_word_embeddings": True},
    "Gemma": {},
    "Gemma2": {"sliding_window": 8},
    "Gemma3": {"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"] * 2},
}


@pytest.fixture(params=KINDS)
def network(request):
    name, settings = request.param.split()[0], KINDS[request.param]
    config = getattr(transformers, f"{name}{'Text' * (name == 'Gemma3')}Config")(**SHAPE, **settings)
    torch.manual_seed(0)
    made = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    with torch.no_grad():
        for part, parameter in made.named_parameters():
            if "norm" in part or part.endswith("bias"):
                parameter.add_(torch.randn_like(parameter) * 0.2)
    return made


def output(network):
    ids = torch.randint(64, (2, 30), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return network(input_ids=ids).logits


def same(found, expected):
    return float((found - expected).abs().max()) < 1e-5 * float(expected.abs().max())


def random_kept(hidden):
    generator = torch.Generator().manual_seed(0)
    pick = lambda count, of: torch.randperm(of, generator=generator)[:count].sort().values
    heads = [kept_heads(torch.rand(6, generator=generator), 3, 2, 2, 1) for _ in range(4)]
    ffn = [pick(24, 40) for _ in range(4)]
    return Kept(ffn, [groups for groups, _ in heads], [queries for _, queries in heads], pick(hidden, 48))


def zeroed(network, kept):
    """A copy in which every weight that reads or writes a removed unit is zero."""
    made = copy.deepcopy(network)
    lost = lambda places, of: [place for place in range(of) if place not in places.tolist()]
    hidden = lost(kept.hidden, 48)
    with torch.no_grad():
        made.get_input_embeddings().weight[:, hidden] = 0
        for layer, ffn, heads in zip(made.model.layers, kept.ffn, kept.heads, strict=True):
            layer.mlp.down_proj.weight[:, lost(ffn, 40)] = 0
            for head in lost(heads, 6):
                layer.self_attn.o_proj.weight[:, head * 10 : head * 10 + 10] = 0
            for writer in (layer.self_attn.o_proj, layer.mlp.down_proj):
                writer.weight[hidden] = 0
                if writer.bias is not None:
                    writer.bias[hidden] = 0
    return made


@pytest.mark.parametrize("hidden", [48, 32])
def test_a_narrower_model_is_the_original_with_zeros(network, tmp_path, hidden):
    kept, before = random_kept(hidden), Sizes.of(network.config.to_dict())
    expected = output(zeroed(network, kept))
    with without_units(network, kept, 10):
        assert same(output(network), expected)
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


def test_a_shallower_model_is_the_original_with_layers_passed_over(network, tmp_path):
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


def test_these_architectures_are_known(network):
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert layout_problems(network.config.to_dict(), shapes, "m") == []


def test_a_norm_over_all_heads_is_not_known():
    config = transformers.Olmo2Config(**{name: value for name, value in SHAPE.items() if name != "head_dim"})
    shapes = {
        name: tuple(tensor.shape)
        for name, tensor in transformers.Olmo2ForCausalLM(config).state_dict().items()
    }
    assert "self_attn.q_norm" in layout_problems(config.to_dict(), shapes, "m")[0].what
