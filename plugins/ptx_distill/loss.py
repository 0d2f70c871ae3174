"""What a student loses against its teacher: tensors in, tensors out.

Shapes: N tokens that are trained on, V words; ``teacher`` and ``student`` (N, V) are log-probabilities in
nats. Divergences are per token, (N,); the caller adds them up and divides. Nothing here is masked: positions
that are not trained on are not passed in.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 (everybody's name for it)
from torch import Tensor

DIVERGENCES = ("forward_kl", "reverse_kl", "jsd")


def forward_kl(teacher: Tensor, student: Tensor) -> Tensor:
    """KL(p || q) = sum_v p(v) (log p(v) - log q(v)), p the teacher: the student must cover all that the
    teacher does, (N,).
    """
    terms = teacher.exp() * (teacher - student)
    return terms.masked_fill(teacher == -torch.inf, 0).sum(dim=-1)


def reverse_kl(teacher: Tensor, student: Tensor) -> Tensor:
    """KL(q || p), q the student: it may leave out what the teacher does, but must do nothing that the teacher
    does not, (N,).
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
    """The divergence of that name, (N,)."""
    if kind == "jsd":
        return jsd(teacher, student, beta)
    return forward_kl(teacher, student) if kind == "forward_kl" else reverse_kl(teacher, student)


def softened(scores: Tensor, temperature: float) -> Tensor:
    """Log-softmax of scores / T (Hinton et al. 2015, equation 1), in float32: teacher and student alike."""
    return (scores.float() / temperature).log_softmax(dim=-1)


def gradient_scale(temperature: float) -> float:
    """T^2: gradients of softened targets shrink by 1/T^2 (Hinton et al. 2015, section 2.1), so the loss is
    multiplied by it.
    """
    return temperature**2


def imitation(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the words in the data, (N,): scores (N, V), labels (N,)."""
    return F.cross_entropy(scores.float(), labels, reduction="none")


def hint(student: Tensor, teacher: Tensor, projection: Tensor | None) -> Tensor:
    """Distance of a hidden state from the teacher's, (N,): student (N, S), teacher (N, H), projection (H, S)
    where S differs from H.

    Romero et al. 2015, equation 3, ||t - W s||^2, with the linear regressor W that TinyBERT learns along
    (Jiao et al. 2020, equation 8), divided by ||t||^2: hidden states of different layers and models differ in
    size by orders of magnitude, and one weight serves them all.
    """
    guess = student.float() if projection is None else student.float() @ projection.float().T
    target = teacher.float()
    return (target - guess).square().sum(dim=-1) / target.square().sum(dim=-1).clamp(min=1e-12)


def relations(states: Tensor, heads: int) -> Tensor:
    """Log of how each token's query, key or value relates to those of the tokens up to it, (B, A, T, T), for
    ``states`` (B, T, D) and A = ``heads``.

    MiniLMv2's self-attention relation (Wang et al. 2021, equations 3 to 5): softmax(S S^T / sqrt(D / A)) of
    the states cut anew into A relation heads. What comes later in the text is left out, as in a decoder's
    attention; so padding on the right is too.
    """
    batch, length, width = states.shape
    split = states.float().reshape(batch, length, heads, width // heads).transpose(1, 2)  # (B, A, T, D / A)
    scores = split @ split.transpose(-1, -2) / (width / heads) ** 0.5
    later = torch.ones(length, length, dtype=torch.bool, device=states.device).triu(1)
    return scores.masked_fill(later, -torch.inf).log_softmax(dim=-1)


def relation_gap(teacher: Tensor, student: Tensor, heads: int) -> Tensor:
    """KL(teacher || student) between their relations, mean over relation heads, (B, T): teacher (B, T, H),
    student (B, T, S).

    Relations are T x T whatever H and S are: models of other widths and other numbers of heads, grouped keys
    and values too, can be compared without a projection. Attention maps themselves (Zagoruyko & Komodakis
    2017) would have to be averaged over the heads first.
    """
    return forward_kl(relations(teacher, heads), relations(student, heads)).mean(dim=1)


def relation_heads(teacher: int, student: int, wanted: int = 0) -> int:
    """How many relation heads both widths are cut into: ``wanted``, or the most that leave 16 numbers to each
    head of the narrower one.

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
