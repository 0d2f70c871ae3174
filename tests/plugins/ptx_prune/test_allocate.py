import pytest
import torch

from ptx import StepError
from ptx.lm.matrices import LAYER, Matrix
from ptx_prune import Magnitude, SparseGPT, Wanda
from ptx_prune.allocate import decoder_layer, named

FAST = {"samples": 24, "max_length": 128}


@pytest.fixture
def layers():
    names = [
        "model.layers.0.mlp.down_proj",
        "model.layers.0.self_attn.q_proj",
        "model.layers.1.mlp.down_proj",
    ]
    return {name: Matrix(name, LAYER, torch.nn.Linear(4, 3)) for name in names}


def test_the_last_expression_found_in_a_name_decides(layers):
    asked = named(layers, 0.5, {"down_proj": 0.3, r"layers\.1": 0.2})
    assert list(asked.values()) == [0.3, 0.5, 0.2]
    with pytest.raises(StepError, match="'dwon' matches no linear layer; there are down_proj, q_proj"):
        named(layers, 0.5, {"dwon": 0.3})


def test_a_name_outside_the_decoder_layers_is_its_own_layer():
    assert decoder_layer("model.layers.3.mlp.down_proj") == "model.layers.3"
    assert decoder_layer("lm_head") == "lm_head"


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SparseGPT, Wanda])
def test_layers_are_as_sparse_as_they_were_asked_to_be(prune, kind, linear_weights):
    _, ref = prune(kind(sparsity=0.6, layers={r"layers\.0\.": 0.3, "v_proj": 0.4}, **FAST))
    for name, weight in linear_weights(ref.path)[1].items():
        asked = 0.4 if "v_proj" in name else 0.3 if "layers.0." in name else 0.6
        assert float((weight == 0).float().mean()) == pytest.approx(asked, abs=0.011)


@pytest.mark.slow
def test_owl_spreads_sparsity_over_the_decoder_layers_and_keeps_the_mean(prune, linear_weights):
    run, ref = prune(Wanda(sparsity=0.5, allocation="owl", spread=0.1, outlier=3.0, **FAST))
    weights = linear_weights(ref.path)[1]
    shares = [
        sum(int((w == 0).sum()) for n, w in weights.items() if f"layers.{layer}." in n)
        / sum(w.numel() for n, w in weights.items() if f"layers.{layer}." in n)
        for layer in range(3)
    ]
    assert max(shares) - min(shares) == pytest.approx(0.2, abs=0.02)
    assert sum(shares) / 3 == pytest.approx(0.5, abs=0.01)
    assert any("owl: sparsity per decoder layer" in line for line in run.console.lines)


def test_an_expression_that_no_layer_has_is_named(prune):
    with pytest.raises(
        StepError, match=r"layers: 'dwon_proj' matches no linear layer; there are down_proj, .*q_proj"
    ):
        prune(Magnitude(layers={"dwon_proj": 0.3}))
