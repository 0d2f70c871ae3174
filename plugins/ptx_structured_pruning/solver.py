"""Importance of units, and the choice of those that are kept. Tensors in, tensors out.

A *unit* is a feed-forward channel, a query head, a channel of the residual stream, or a decoder layer.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def over_tokens(values: Tensor, how: str) -> Tensor:
    """Return one row's score per unit: the mean of |a| or the l2 norm over tokens.

    Source: Muralidharan et al. 2024, section 2.2.

    Args:
        values: activations, (T, units).
        how: mean, or l2.

    Returns:
        (units,), non-negative.
    """
    return values.abs().mean(0) if how == "mean" else values.square().sum(0).sqrt()


def gate_score(values: Tensor, gradients: Tensor) -> Tensor:
    """Return the squared first-order Taylor importance of each unit's gate.

    The gate is z = 1, multiplied with the unit: (dL/dz)^2 (Molchanov et al. 2019, eq. 8). dL/dz is the sum
    over tokens (and over the unit's components) of activation x gradient.

    Args:
        values: (T, units) or (T, units, components).
        gradients: dL/d values, of the same shape.

    Returns:
        (units,).
    """
    product = values * gradients
    return product.flatten(2).sum(2).sum(0).square() if product.ndim > 2 else product.sum(0).square()


def block_influence(before: Tensor, after: Tensor) -> float:
    """1 - mean cosine of a layer's input and output (Men et al. 2024, eq. 1); both (T, D)."""
    return float(1 - torch.nn.functional.cosine_similarity(before.double(), after.double(), dim=-1).mean())


def angular_distance(before: Tensor, after: Tensor) -> float:
    """Arccos of the cosine of two vectors (D,), over pi: 0 same direction, 1 opposite.

    Source: Gromov et al. 2024, eq. 7.
    """
    cosine = torch.nn.functional.cosine_similarity(before.double(), after.double(), dim=-1)
    return math.acos(max(-1.0, min(1.0, float(cosine)))) / math.pi


def best_block(distances: list[float], count: int) -> list[int]:
    """Return the block of ``count`` neighbouring layers with the smallest input-to-output distance.

    ``distances[l]`` is the distance of the block from l to l + count - 1.
    """
    start = min(range(len(distances)), key=distances.__getitem__)
    return list(range(start, start + count))


def lowest(scores: list[float], count: int) -> list[int]:
    """Return the indices of the ``count`` smallest scores, ascending."""
    return sorted(sorted(range(len(scores)), key=scores.__getitem__)[:count])


def largest(scores: Tensor, count: int) -> Tensor:
    """Return the indices of the ``count`` largest scores (units,), ascending; ties: the earlier index."""
    return torch.argsort(scores, descending=True, stable=True)[:count].sort().values


def kept_heads(
    scores: Tensor, groups: int, heads: int, kept_groups: int, kept_each: int
) -> tuple[Tensor, Tensor]:
    """Return the key-value heads and query heads to keep under grouped-query attention (Ainslie et al. 2023).

    The score of a group is the sum over its query heads. In each group that is kept, the most important query
    heads are kept, the same number in every group.

    Args:
        scores: (groups * heads,), query heads in the model's order: those of a group are neighbours.
        groups: number of key-value heads.
        heads: query heads of each.
        kept_groups: key-value heads to keep.
        kept_each: query heads to keep of each.

    Returns:
        Indices of the key-value heads (kept_groups,) and of the query heads (kept_groups * kept_each,),
        ascending.
    """
    table = scores.reshape(groups, heads)
    chosen = largest(table.sum(1), kept_groups)
    queries = [group * heads + largest(table[group], kept_each) for group in chosen.tolist()]
    return chosen, torch.cat(queries)


def components(places: Tensor, size: int) -> Tensor:
    """Return the rows of a projection that belong to heads: (heads,) -> (heads * size,).

    A head has ``size`` neighbouring rows.
    """
    return (places[:, None] * size + torch.arange(size)).flatten()
