"""The straight-through estimator: the value of the rounded weight, and its gradient."""

import torch

from ptx.lm.compression.grid import round_to_nearest
from ptx_qat.straight import straight_through

EIGHT = {"symmetric": True, "stored": torch.float32}


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_the_value_is_the_rounded_weight_and_the_gradient_passes_the_rounding():
    weight, states = drawn(6, 32).requires_grad_(), drawn(4, 32)
    seen = straight_through(weight, 3, 8, **EIGHT)
    assert torch.equal(seen, round_to_nearest(weight.detach(), 3, 8))
    (states @ seen.T).square().sum().backward()
    rounded = seen.detach().requires_grad_()
    (states @ rounded.T).square().sum().backward()
    assert torch.equal(weight.grad, rounded.grad)


def test_without_it_nothing_is_learnt():
    weight = drawn(6, 32).requires_grad_()
    round_to_nearest(weight, 3, 8).sum().backward()
    # what is left is the gradient of the scales, by their largest weight: all others stand still
    assert float((weight.grad.abs() < 1e-6).float().mean()) >= 0.8
    weight.grad = None
    straight_through(weight, 3, 8, **EIGHT).sum().backward()
    assert torch.equal(weight.grad, torch.ones(6, 32))


def test_steps_against_the_gradient_find_a_better_rounding_than_the_nearest():
    """Inputs that go together leave room: one weight's error can make up for another's."""
    generator = torch.Generator().manual_seed(1)
    states = torch.randn(64, 4, generator=generator) @ torch.randn(4, 32, generator=generator)
    wanted, losses = drawn(6, 32), []
    weight = wanted.clone().requires_grad_()
    for _ in range(60):
        loss = (states @ (straight_through(weight, 2, 8, **EIGHT) - wanted).T).square().mean()
        losses.append(loss.item())
        with torch.no_grad():
            weight -= 0.01 * torch.autograd.grad(loss, weight)[0]
    assert min(losses[30:]) < 0.3 * losses[0]


def test_it_rounds_the_weight_as_it_will_be_stored():
    weight = drawn(6, 32)
    stored = round_to_nearest(weight.bfloat16(), 4, 8).float()
    seen = straight_through(weight, 4, 8, symmetric=True, stored=torch.bfloat16)
    assert seen.dtype == torch.float32
    assert torch.equal(seen, stored)
    assert not torch.equal(stored, round_to_nearest(weight, 4, 8))
