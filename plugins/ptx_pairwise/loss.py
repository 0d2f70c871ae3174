"""The losses: tensors in, tensors out.

B pairs; ``chosen`` and ``rejected`` (B,) are log-probabilities of answers in nats: means over their tokens
for ORPO and SimPO, sums for CPO. Losses are per pair, (B,).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 (the usual name)
from torch import Tensor


def log1mexp(x: Tensor) -> Tensor:
    """log(1 - exp(x)) for x < 0, exact at both ends (Maechler 2012): an answer may be nearly certain."""
    x = x.clamp(max=-torch.finfo(x.dtype).tiny)
    near = x > -math.log(2)
    # each branch gets a harmless value where the other one is taken, or its gradient would be nan
    close = torch.log(-torch.expm1(torch.where(near, x, -torch.ones_like(x))))
    far = torch.log1p(-torch.exp(torch.where(near, -torch.ones_like(x), x)))
    return torch.where(near, close, far)


def log_odds_ratio(chosen: Tensor, rejected: Tensor) -> Tensor:
    """log(odds(chosen) / odds(rejected)) with odds(p) = p / (1 - p): equation 7 of Hong et al. 2024."""
    return (chosen - rejected) - (log1mexp(chosen) - log1mexp(rejected))


def orpo(chosen: Tensor, rejected: Tensor, beta: float) -> Tensor:
    """The odds-ratio part of equation 6 of Hong et al. 2024; the likelihood is added by the caller."""
    return -beta * F.logsigmoid(log_odds_ratio(chosen, rejected))


def simpo(chosen: Tensor, rejected: Tensor, beta: float, gamma: float) -> Tensor:
    """-log sigma(beta (chosen - rejected) - gamma): equation 6 of Meng et al. 2024."""
    return -F.logsigmoid(beta * (chosen - rejected) - gamma)


def cpo(chosen: Tensor, rejected: Tensor, beta: float) -> Tensor:
    """The preference part of equation 5 of Xu et al. 2024; the likelihood is added by the caller."""
    return -F.logsigmoid(beta * (chosen - rejected))
