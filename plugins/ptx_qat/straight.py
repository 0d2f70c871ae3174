"""Rounding with a straight-through gradient: tensors in, tensors out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ptx.lm.compression.grid import round_to_nearest


class _StraightThrough(torch.autograd.Function):  # type: ignore[misc]
    """Forward: the rounded weight. Backward: a derivative of 1 (Bengio et al. 2013, section 4)."""

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
    """``weight`` (R, C) cast to the dtype ``stored`` and rounded to its grid; the gradient passes unchanged.

    Jacob et al. 2018 (section 3.2) stop the gradient outside the range of the grid. With a min-max range no
    weight is outside, because the scale follows the largest weight.
    """
    return torch.as_tensor(_StraightThrough.apply(weight, bits, group, symmetric, stored))
