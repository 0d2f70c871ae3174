"""Rounding that lets the gradient through: tensors in, tensors out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ptx.lm.compression.grid import round_to_nearest


class _StraightThrough(torch.autograd.Function):  # type: ignore[misc]
    """Forward: the rounded weight. Backward: d rounded / d weight is taken as 1 everywhere (Bengio et al.
    2013, section 4).
    """

    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, bits: int, group: int, symmetric: bool, stored: torch.dtype
    ) -> Tensor:
        return round_to_nearest(weight.to(stored), bits, group, symmetric=symmetric).to(weight.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return gradients[0], None, None, None, None


def straight_through(
    weight: Tensor, bits: int, group: int, *, symmetric: bool, stored: torch.dtype
) -> Tensor:
    """``weight`` (R, C) as it will be after it is stored in the dtype ``stored`` and rounded to its grid; its
    gradient is that of the result.

    Jacob et al. 2018 (section 3.2) stop the gradient outside of the range. A min-max range has no outside:
    the scale follows the largest weight.
    """
    return torch.as_tensor(_StraightThrough.apply(weight, bits, group, symmetric, stored))
