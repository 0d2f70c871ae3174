"""n:m sparsity: what the pattern of a pruned layer is, for those that make it and those that check it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def zeros_of(pattern: str) -> tuple[int, int]:
    """``2:4`` as (zeros, group)."""
    zeros, _, group = pattern.partition(":")
    return int(zeros), int(group)


def has_pattern(weight: Tensor, pattern: str) -> bool:
    """Whether every m neighbours in a row of ``weight`` (rows, columns) hold at least n zeros."""
    zeros, group = zeros_of(pattern)
    if weight.shape[1] % group:
        return False
    return bool(((weight.reshape(-1, group) == 0).sum(dim=1) >= zeros).all())
