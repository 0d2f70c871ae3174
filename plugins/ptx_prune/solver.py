"""The mathematics of pruning: magnitude masks, n:m masks, and OWL's sparsity per layer.

Tensors in, tensors out.

SparseGPT and Wanda are solved by llm-compressor; the tests compare its results with slow references written
from the papers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def smallest(scores: Tensor, share: float) -> Tensor:
    """Return the mask of the smallest ``share`` of ``scores``.

    The mask has exactly ``round(share * numel)`` true values; ties are resolved by position.

    Args:
        scores: non-negative, any shape.
        share: between 0 and 1.

    Returns:
        Boolean, of the shape of ``scores``; True where a weight is removed.
    """
    count = round(share * scores.numel())
    order = torch.argsort(scores.flatten(), stable=True)
    mask = torch.zeros(scores.numel(), dtype=torch.bool, device=scores.device)
    mask[order[:count]] = True
    return mask.reshape(scores.shape)


def smallest_n_of_m(scores: Tensor, zeros: int, group: int) -> Tensor:
    """Return the mask of the ``zeros`` smallest scores in every ``group`` neighbours of a row.

    Args:
        scores: (rows, columns), columns a multiple of ``group``.
        zeros: how many of each group are removed.
        group: size of a group.
    """
    groups = scores.reshape(-1, group)
    mask = torch.zeros_like(groups, dtype=torch.bool)
    mask.scatter_(1, torch.argsort(groups, dim=1, stable=True)[:, :zeros], value=True)
    return mask.reshape(scores.shape)


def threshold_over(weights: Sequence[Tensor], share: float) -> float:
    """Return the magnitude at or below which ``share`` of all ``weights`` together lie.

    Found by bisection over the bits of a float32, without a copy of the whole model: the order of
    non-negative float32 values is the order of their bits as integers, so 31 halvings find the exact value.
    """
    count = round(share * sum(weight.numel() for weight in weights))
    low, high = 0, 0x7F800000  # 0.0 and infinity
    while low < high:
        middle = (low + high) // 2
        value = _float_of(middle)
        below = sum(int((weight.abs().float() <= value).sum()) for weight in weights)
        low, high = (low, middle) if below >= count else (middle + 1, high)
    return _float_of(low)


def _float_of(bits: int) -> float:
    (value,) = struct.unpack("<f", bits.to_bytes(4, "little"))
    return float(value)


def wanda_scores(weight: Tensor, input_norms: Tensor) -> Tensor:
    """|W_ij| * ||X_j||_2 (Sun et al. 2023, eq. 1), (rows, columns) from (rows, columns) and (columns,)."""
    return weight.abs() * input_norms


def outlier_share(scores: Iterable[Tensor], factor: float) -> float:
    """Return the share of ``scores`` above ``factor`` times their common mean.

    This is the layer outlier distribution of Yin et al. 2023, eq. 1.
    """
    every = list(scores)
    count = sum(score.numel() for score in every)
    limit = factor * sum(float(score.double().sum()) for score in every) / count
    above = sum(int((score > limit).sum()) for score in every)
    return float(above / count)


def owl(outliers: Sequence[float], sizes: Sequence[int], sparsity: float, spread: float) -> list[float]:
    """Return the sparsity per layer, which falls with its share of outliers; the mean is ``sparsity``.

    After Yin et al. 2023, section 3.3, and their code: the shares are stretched to [0, 2 * spread] and
    subtracted from the target, so the sparsities lie within ``2 * spread`` of each other. Means are weighted
    by ``sizes`` (weights per layer), so that the target is met where layers differ in size too.
    """
    lowest, highest = min(outliers), max(outliers)
    if highest == lowest:
        return [sparsity] * len(outliers)
    stretched = [2 * spread * (share - lowest) / (highest - lowest) for share in outliers]
    mean = sum(part * size for part, size in zip(stretched, sizes, strict=True)) / sum(sizes)
    return [sparsity - part + mean for part in stretched]
