"""The predicted KL of a rounded matrix against the KL itself."""

import pytest
import torch

from ptx.lm.load import load_model, load_tokenizer
from ptx.lm.serving.fidelity import own_text
from ptx.lm.serving.sensitivity import effects, nats, priced
from tests.plugins.conftest import TEMPLATE, save_tiny_llama

TOKENS = 24


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = save_tiny_llama(tmp_path_factory.mktemp("models") / "chat", TEMPLATE)
    return load_model(folder).eval(), load_tokenizer(folder)


@pytest.fixture(scope="module")
def rows(model):
    network, tokenizer = model
    tokenizer.chat_template = None  # one opening: all texts have one length
    return own_text(network, tokenizer, seed=0, rows=400, tokens=TOKENS)


def moved(weight):
    change = 0.03 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    change[0] = 0  # the padding token's embedding is zero: no small change of it is small after the norm
    return change


def measured(network, layer, rows):
    """KL(model || model with one matrix moved), over all tokens of the rows."""
    ids = torch.tensor(rows)
    with torch.no_grad():
        p = network(ids).logits[:, :-1].log_softmax(-1)
        layer.weight.add_(moved(layer.weight))
        q = network(ids).logits[:, :-1].log_softmax(-1)
        layer.weight.sub_(moved(layer.weight))
    return float((p.exp() * (p - q)).sum(-1).mean())


@pytest.mark.parametrize("name", ["model.layers.0.self_attn.v_proj", "model.layers.1.mlp.down_proj"])
def test_the_prediction_is_the_kl_that_is_measured(model, rows, name):
    network, _ = model
    found = effects(network, rows, 1, lambda _, weight: {"moved": moved(weight)})
    expected = measured(network, network.get_submodule(name), rows)
    assert expected > 1e-4
    assert nats(found[name]["moved"], TOKENS) == pytest.approx(expected, rel=0.35)


def test_the_effect_of_a_tied_embedding_is_the_sum_of_both_of_its_uses(model, rows):
    network, _ = model
    menu = priced(
        network,
        (rows, 1),
        {"tied": ["model.embed_tokens", "lm_head"]},
        {"tied": {"moved": 10.0}},
        lambda _layer, _format, weight: weight + moved(weight),
    )
    (price,) = menu["tied"]
    expected = measured(network, network.get_input_embeddings(), rows)
    assert (price.format, price.bytes) == ("moved", 10.0)
    assert price.nats == pytest.approx(expected, rel=0.35)


def test_the_network_is_left_as_it_was(model, rows):
    network, _ = model
    effects(network, rows[:4], 1, lambda _, weight: {})
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())
