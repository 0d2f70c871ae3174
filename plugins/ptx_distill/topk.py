"""A teacher's next-token distribution in few numbers: its k likeliest words, and the probability of the rest.

All words outside the k are counted as one more word, *the rest*, for teacher and student alike. The
divergence over these k + 1 words is never larger than that over all V words (data processing inequality), and
it is 0 where that is 0. It depends on how much probability the student gives to the words outside the k, not
on how it is distributed among them. Leaving the rest out and renormalising, as is often done, teaches the
student that all other words have no probability.

At temperature T the score of the rest is log sum exp(l_v / T) over the words outside: the cumulant function
of their log-probabilities at 1/T. It is smooth in 1/T, so its values at a few NODES are stored, and a
polynomial through them gives all others. It is exact at the temperatures 1/2, 2/3, 1, 4/3, 2, 4 and 8, and
accurate to half a percent of the rest between them. So one stored pass serves every temperature from 1/2 on.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ptx_distill.loss import softened

#: inverse temperatures
NODES = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
COLDEST = 1 / NODES[-1]


class Targets(NamedTuple):
    """The teacher's distributions at N positions.

    ``words`` and ``rest`` are None where all words are kept (k = V); ``values`` then holds them in order.
    """

    values: Tensor  # (N, k) log-probabilities at temperature 1, float32
    words: Tensor | None  # (N, k) which words they are, int32
    rest: Tensor | None  # (N, len(NODES)) the rest's score at each node, float32


def targets(scores: Tensor, k: int) -> Targets:
    """The targets of a teacher's scores (N, V); ``k`` = 0 or k >= V keeps all words."""
    whole = softened(scores, 1.0)
    if not 0 < k < whole.shape[-1]:
        return Targets(whole, None, None)
    values, words = whole.topk(k, dim=-1)
    outside = whole.scatter(-1, words, -torch.inf)
    rest = [
        torch.logsumexp(node * outside if node else outside.masked_fill(outside > -torch.inf, 0), dim=-1)
        for node in NODES
    ]
    return Targets(values, words.int(), torch.stack(rest, dim=-1))


def teacher_at(found: Targets, temperature: float) -> Tensor:
    """The teacher's log-probabilities at a temperature: (N, k + 1) with the rest last, or (N, V)."""
    if found.rest is None:
        return softened(found.values, temperature)
    scores = torch.cat([found.values / temperature, rest_at(found.rest, temperature)[:, None]], dim=-1)
    return scores.log_softmax(dim=-1)


def student_at(scores: Tensor, found: Targets, temperature: float) -> Tensor:
    """The student's log-probabilities of the same words, from its scores (N, V)."""
    whole = softened(scores, temperature)
    if found.words is None:
        return whole
    words = found.words.long()
    rest = whole.scatter(-1, words, -torch.inf).logsumexp(dim=-1, keepdim=True)
    return torch.cat([whole.gather(-1, words), rest], dim=-1)


def rest_at(rest: Tensor, temperature: float) -> Tensor:
    """The score of the rest at a temperature, (N,), from its values at the nodes, (N, len(NODES)).

    Between the nodes it is Lagrange's polynomial in 1/T.
    """
    inverse = 1 / temperature
    if inverse in NODES:
        return rest[:, NODES.index(inverse)]
    weights = []
    for node in NODES:
        others = [other for other in NODES if other != node]
        weight = 1.0
        for other in others:
            weight *= (inverse - other) / (node - other)
        weights.append(weight)
    some = rest[:, -1] > -torch.inf  # else all words outside the k have probability 0
    found = rest.masked_fill(~some[:, None], 0) @ torch.tensor(weights, dtype=rest.dtype, device=rest.device)
    return found.masked_fill(~some, -torch.inf)
