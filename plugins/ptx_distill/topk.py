"""A teacher's next-token distribution in few numbers: its k likeliest words, and how much lies outside them
at any temperature.

Of the words outside the k only their sum is needed, so they count as one more word, *the rest*, for teacher
and student alike. The divergence over k + 1 words is never larger than that over all V (data processing) and
0 where that is 0; it asks of the student how much it puts outside the k words, not where. Leaving the rest
out and renormalising, as is often done, teaches the student that nothing lies outside.

At temperature T the rest's score is log sum exp(l_v / T) over the words outside: the cumulant function of
their log-probabilities at 1/T. It is smooth in 1/T, so its values at a few NODES are stored and a polynomial
through them gives the others. At the temperatures 1/2, 2/3, 1, 4/3, 2, 4 and 8 it is exact, between them good
to half a percent of the rest. So one stored pass serves every temperature from 1/2 on.
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
    """What a teacher says at N positions. Without ``words`` (k = V) ``values`` holds all words in order, and
    there is no rest.
    """

    values: Tensor  # (N, k) log-probabilities at temperature 1, float32
    words: Tensor | None  # (N, k) which words they are, int32
    rest: Tensor | None  # (N, len(NODES)) the rest's score at each node, float32


def targets(scores: Tensor, k: int) -> Targets:
    """Targets of a teacher's scores (N, V); ``k`` = 0 or k >= V keeps all words."""
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
    """The rest's score (N,) at a temperature, from its values at the nodes (N, len(NODES)): Lagrange's
    polynomial in 1/T.
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
    some = rest[:, -1] > -torch.inf  # else the teacher rules out all words outside the k
    found = rest.masked_fill(~some[:, None], 0) @ torch.tensor(weights, dtype=rest.dtype, device=rest.device)
    return found.masked_fill(~some, -torch.inf)
