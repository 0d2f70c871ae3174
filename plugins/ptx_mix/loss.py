"""The losses of the mixture: tensors in, tensors out.

Shapes: B sequences of T predicted tokens; ``log_probs`` (B, T) are the model's log-probabilities of the
tokens in nats and ``mask`` (B, T) says which of them belong to an answer.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 (the usual name)
from torch import Tensor


def answer_log_probability(log_probs: Tensor, mask: Tensor) -> Tensor:
    """Log-probability log pi(y | x) of each answer, (B,): the sum over its tokens."""
    return (log_probs * mask).sum(dim=1)


def preference(
    chosen: Tensor, rejected: Tensor, chosen_reference: Tensor, rejected_reference: Tensor, beta: float
) -> Tensor:
    """DPO's loss of each pair, (B,): equation 7 of Rafailov et al. 2023.

    All tensors hold log-probabilities of whole answers, (B,).

    -log sigma(beta log(pi(y_w|x) / pi_ref(y_w|x)) - beta log(pi(y_l|x) / pi_ref(y_l|x)))
    """
    return -F.logsigmoid(beta * ((chosen - chosen_reference) - (rejected - rejected_reference)))


def imitation(log_probs: Tensor, mask: Tensor) -> Tensor:
    """Mean negative log-likelihood of the answers' tokens, a scalar; 0 where there is none."""
    return -(log_probs * mask).sum() / mask.sum().clamp(min=1)


def mixed(sft: Tensor, *others: tuple[float, Tensor]) -> Tensor:
    """L = L_sft + lambda_pref L_pref + lambda_safe L_safe.

    ``others`` are pairs of a lambda and its loss.
    """
    total = sft
    for weight, loss in others:
        total = total + weight * loss
    return total
