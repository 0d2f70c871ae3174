"""Distillation losses: tensors in, tensors out.

Shapes: N tokens that are trained on, V words of the vocabulary; ``teacher`` and ``student`` (N, V) are
log-probabilities in nats. Divergences are per token, (N,); the caller adds them up and divides. Nothing is
masked here: callers pass only the positions that are trained on.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 (the usual name)
from torch import Tensor

DIVERGENCES = ("forward_kl", "reverse_kl", "jsd")


def forward_kl(teacher: Tensor, student: Tensor) -> Tensor:
    """KL(p || q) = sum_v p(v) (log p(v) - log q(v)), (N,), with p the teacher and q the student.

    The student must give probability to every token that is likely for the teacher.
    """
    terms = teacher.exp() * (teacher - student)
    return terms.masked_fill(teacher == -torch.inf, 0).sum(dim=-1)


def reverse_kl(teacher: Tensor, student: Tensor) -> Tensor:
    """KL(q || p), (N,), with p the teacher and q the student.

    The student may leave out tokens that are likely for the teacher, but must not add any that are unlikely.
    """
    return forward_kl(student, teacher)


def jsd(teacher: Tensor, student: Tensor, beta: float) -> Tensor:
    """Generalised Jensen-Shannon divergence, equation 1 of Agarwal et al. 2024, (N,), for 0 < beta < 1.

    beta KL(p || m) + (1 - beta) KL(q || m) with m = beta p + (1 - beta) q. At 1/2 it is symmetric and at most
    log 2; divided by beta it tends to KL(p || q) for beta -> 0, divided by 1 - beta to KL(q || p) for beta ->
    1.
    """
    share = torch.tensor(beta, dtype=student.dtype, device=student.device)
    mixture = torch.logaddexp(share.log() + teacher, torch.log1p(-share) + student)
    return share * forward_kl(teacher, mixture) + (1 - share) * forward_kl(student, mixture)


def divergence(kind: str, teacher: Tensor, student: Tensor, beta: float) -> Tensor:
    """The divergence named ``kind``, (N,); ``beta`` is used by jsd alone."""
    if kind == "jsd":
        return jsd(teacher, student, beta)
    return forward_kl(teacher, student) if kind == "forward_kl" else reverse_kl(teacher, student)


def softened(scores: Tensor, temperature: float) -> Tensor:
    """Log-softmax of scores / T in float32 (Hinton et al. 2015, equation 1), for teacher and student."""
    return (scores.float() / temperature).log_softmax(dim=-1)


def gradient_scale(temperature: float) -> float:
    """T^2, the factor that keeps the size of the gradients at any temperature.

    Gradients of softened targets shrink by 1/T^2 (Hinton et al. 2015, section 2.1).
    """
    return temperature**2


def imitation(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the tokens in the data, (N,), from scores (N, V) and labels (N,)."""
    return F.cross_entropy(scores.float(), labels, reduction="none")


def hint(student: Tensor, teacher: Tensor, projection: Tensor | None) -> Tensor:
    """Squared distance of hidden states from the teacher's, (N,).

    Shapes: student (N, S), teacher (N, H), projection (H, S) where S differs from H.

    It is ||t - W s||^2 / ||t||^2: equation 3 of Romero et al. 2015 with the linear projection W that is
    trained with the student (TinyBERT, Jiao et al. 2020, equation 8). The division makes one weight fit all
    layers and models, whose hidden states differ in size by orders of magnitude.
    """
    guess = student.float() if projection is None else student.float() @ projection.float().T
    target = teacher.float()
    return (target - guess).square().sum(dim=-1) / target.square().sum(dim=-1).clamp(min=1e-12)


def relations(states: Tensor, heads: int) -> Tensor:
    """Log of MiniLMv2's self-attention relations, (B, A, T, T), for ``states`` (B, T, D) and A = ``heads``.

    ``states`` are queries, keys or values. Their relation is softmax(S S^T / sqrt(D / A)), computed after the
    states are split again into A relation heads (Wang et al. 2021, equations 3 to 5). Each token relates to
    itself and earlier tokens alone, as in a decoder's attention; so padding on the right has no effect.
    """
    batch, length, width = states.shape
    split = states.float().reshape(batch, length, heads, width // heads).transpose(1, 2)  # (B, A, T, D / A)
    scores = split @ split.transpose(-1, -2) / (width / heads) ** 0.5
    later = torch.ones(length, length, dtype=torch.bool, device=states.device).triu(1)
    return scores.masked_fill(later, -torch.inf).log_softmax(dim=-1)


def relation_gap(teacher: Tensor, student: Tensor, heads: int) -> Tensor:
    """KL(teacher || student) between the relations of both models, mean over relation heads, (B, T).

    Shapes: teacher (B, T, H), student (B, T, S). Relations are T x T for any H and S, so models that differ
    in width and number of heads can be compared without a projection, grouped keys and values included.
    Attention maps (Zagoruyko & Komodakis 2017) would first have to be averaged over the heads.
    """
    return forward_kl(relations(teacher, heads), relations(student, heads)).mean(dim=1)


def relation_heads(teacher: int, student: int, wanted: int = 0) -> int:
    """The number of relation heads that both widths are split into.

    It is ``wanted``, or the largest number that leaves at least 16 dimensions per head of the narrower model.

    Raises:
        ValueError: ``wanted`` does not divide both widths.
    """
    common = math.gcd(teacher, student)
    fitting = [heads for heads in range(1, common + 1) if common % heads == 0]
    if wanted and wanted not in fitting:
        raise ValueError(
            f"{wanted} relation heads do not divide widths of {teacher} and {student};"
            f" {', '.join(map(str, fitting))} do"
        )
    return wanted or max(heads for heads in fitting if heads == 1 or min(teacher, student) >= 16 * heads)
