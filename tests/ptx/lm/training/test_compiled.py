"""Layers that are compiled while they train give the losses and gradients of those that are not."""

import shutil

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from ptx.lm.training.compiled import compiled

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="no C++ compiler"),
]


def network():
    torch.manual_seed(0)
    config = CONFIG_MAPPING["llama"](
        vocab_size=96,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
    )
    return AutoModelForCausalLM.from_config(config).float().train()


def step(model, length):
    ids = torch.arange(2 * length).view(2, length) % 90
    model.zero_grad()
    loss = model(input_ids=ids, labels=ids, use_cache=False).loss
    loss.backward()
    return loss.item(), torch.cat([part.grad.flatten() for part in model.parameters()])


def test_losses_gradients_and_samples_are_those_of_the_plain_layers():
    model, frames = network(), torch._dynamo.utils.counters["frames"]
    plain = [step(model, length) for length in (7, 12, 30)]
    answer = model.generate(torch.tensor([[5, 6, 7]]), max_new_tokens=6, do_sample=False)
    with compiled(model, wanted=True):
        found = [step(model, 7)]
        once = frames["ok"]
        found += [step(model, length) for length in (12, 30)]
        assert torch.equal(
            model.generate(torch.tensor([[5, 6, 7]]), max_new_tokens=6, do_sample=False), answer
        )
        assert once > 0
        assert frames["ok"] <= once + 1, "one more for sizes left open, not one for every length or token"
    for (loss, gradient), (loss_then, gradient_then) in zip(plain, found, strict=True):
        assert loss_then == pytest.approx(loss, abs=1e-5)
        torch.testing.assert_close(gradient_then, gradient, atol=1e-4, rtol=1e-4)
    assert all("forward" not in vars(layer) for layer in model.model.layers)


def test_nothing_is_compiled_unless_wanted():
    model = network()
    with compiled(model, wanted=False):
        assert all("forward" not in vars(layer) for layer in model.model.layers)
