"""What is worth how much, and what stays. Tensors in, tensors out.

A *unit* is a feed-forward channel, a query head, a channel of the residual stream, or a decoder layer.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def over_tokens(values: Tensor, how: str) -> Tensor:
    """One row's score per unit from its activations: the mean of |a| or their l2 norm (Muralidharan et al.
    2024, section 2.2).

    Args:
        values: (T, units).
        how: mean, or l2.

    Returns:
        (units,), non-negative.
    """
    return values.abs().mean(0) if how == "mean" else values.square().sum(0).sqrt()


def gate_score(values: Tensor, gradients: Tensor) -> Tensor:
    """First-order Taylor importance of a unit's gate, squared: (dL/dz)^2 with z = 1 multiplying it (Molchanov
    et al. 2019, eq. 8).

    dL/dz = sum over tokens (and over the unit's components) of activation x gradient.

    Args:
        values: (T, units) or (T, units, components).
        gradients: dL/d values, of the same shape.

    Returns:
        (units,).
    """
    product = values * gradients
    return product.flatten(2).sum(2).sum(0).square() if product.ndim > 2 else product.sum(0).square()


def block_influence(before: Tensor, after: Tensor) -> float:
    """1 - mean cosine of what goes into a layer and what comes out of it (Men et al. 2024, eq. 1); both (T,
    D).
    """
    return float(1 - torch.nn.functional.cosine_similarity(before.double(), after.double(), dim=-1).mean())


def angular_distance(before: Tensor, after: Tensor) -> float:
    """Arccos of the cosine, over pi, of two vectors (D,): 0 same direction, 1 opposite (Gromov et al. 2024,
    eq. 7).
    """
    cosine = torch.nn.functional.cosine_similarity(before.double(), after.double(), dim=-1)
    return math.acos(max(-1.0, min(1.0, float(cosine)))) / math.pi


def best_block(distances: list[float], count: int) -> list[int]:
    """The ``count`` neighbouring layers from l to l + count - 1 whose ``distances[l]``, from before to after
    the block, is smallest.
    """
    start = min(range(len(distances)), key=distances.__getitem__)
    return list(range(start, start + count))


def lowest(scores: list[float], count: int) -> list[int]:
    """The ``count`` places of the smallest scores, in order of place."""
    return sorted(sorted(range(len(scores)), key=scores.__getitem__)[:count])


def largest(scores: Tensor, count: int) -> Tensor:
    """The ``count`` places of the largest scores (units,), in order of place; ties go to the earlier."""
    return torch.argsort(scores, descending=True, stable=True)[:count].sort().values


def kept_heads(
    scores: Tensor, groups: int, heads: int, kept_groups: int, kept_each: int
) -> tuple[Tensor, Tensor]:
    """Which key-value heads and which query heads stay under grouped-query attention (Ainslie et al. 2023).

    A group is worth the sum of its query heads; in each that stays, the most important query heads stay, the
    same number in all.

    Args:
        scores: (groups * heads,), query heads in the model's order: those of a group are neighbours.
        groups: key-value heads there are.
        heads: query heads of each.
        kept_groups: key-value heads to keep.
        kept_each: query heads to keep of each.

    Returns:
        Places of the key-value heads (kept_groups,) and of the query heads (kept_groups * kept_each,),
        ascending.
    """
    table = scores.reshape(groups, heads)
    chosen = largest(table.sum(1), kept_groups)
    queries = [group * heads + largest(table[group], kept_each) for group in chosen.tolist()]
    return chosen, torch.cat(queries)


def components(places: Tensor, size: int) -> Tensor:
    """The rows of a projection that belong to heads: ``size`` neighbours each; (heads,) -> (heads *
    size,).
    """
    return (places[:, None] * size + torch.arange(size)).flatten()
