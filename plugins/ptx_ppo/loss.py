"""PPO's arithmetic: tensors in, tensors out.

Shapes: B answers of at most T tokens. ``mask`` (B, T) is 1 at tokens of the model; other tokens (padding,
what a tool said) are passed over. ``values`` (B, T) are the critic's predictions *before* each token.
"""

from __future__ import annotations

import torch
from torch import Tensor


def token_rewards(scores: Tensor, log_ratios: Tensor, mask: Tensor, beta: float) -> Tensor:
    """Rewards by token, (B, T): -beta log(pi / pi_ref) at each, and the score (B,) at the last real token."""
    found = -beta * log_ratios * mask
    places = torch.arange(mask.shape[1], device=mask.device)
    last = (mask * (places + 1)).argmax(dim=1)  # the largest place with a 1
    found[torch.arange(len(found), device=mask.device), last] += scores * mask.any(dim=1)
    return found


def advantages(
    rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """GAE and returns, (B, T) each: equation 16 of Schulman et al. 2016.

    A_t = sum_k (gamma lambda)^k delta_(t+k), delta_t = r_t + gamma V(s_(t+1)) - V(s_t), over the tokens of
    the model; V is 0 after the last one. Returns are A + V.
    """
    found = torch.zeros_like(values)
    later, value = torch.zeros_like(values[:, 0]), torch.zeros_like(values[:, 0])
    for place in reversed(range(values.shape[1])):
        here = mask[:, place] > 0
        delta = rewards[:, place] + gamma * value - values[:, place]
        later = torch.where(here, delta + gamma * lam * later, later)
        value = torch.where(here, values[:, place], value)
        found[:, place] = torch.where(here, later, 0.0)
    return found, (found + values) * mask


def whitened(values: Tensor, mask: Tensor) -> Tensor:
    """The values with mean 0 and variance 1 over the masked places, 0 elsewhere."""
    number = mask.sum().clamp(min=1)
    mean = (values * mask).sum() / number
    variance = ((values - mean).square() * mask).sum() / number
    return (values - mean) * (variance + 1e-8).rsqrt() * mask


def value_loss(values: Tensor, old: Tensor, returns: Tensor, clip: float) -> Tensor:
    """Half the squared error by token, (B, T); beyond ``clip`` of the old value no gain counts."""
    error = (values - returns).square()
    if clip:
        near = old + (values - old).clamp(-clip, clip)
        error = torch.maximum(error, (near - returns).square())
    return 0.5 * error


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """1 - Var(returns - values) / Var(returns): 1 for a perfect critic, 0 for a constant one."""
    here = mask > 0
    gap, wanted = (returns - values)[here], returns[here]
    return 1 - gap.var(unbiased=False) / wanted.var(unbiased=False).clamp(min=1e-8)
