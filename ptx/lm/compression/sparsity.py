"""n:m sparsity patterns: n zeros among every m neighbouring weights of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def parse_pattern(pattern: str) -> tuple[int, int]:
    """The two numbers of a pattern: (2, 4), zeros and group size, for ``2:4``."""
    zeros, _, group = pattern.partition(":")
    return int(zeros), int(group)


def has_pattern(weight: Tensor, pattern: str) -> bool:
    """Whether every group of m neighbours in a row of ``weight`` (R, C) has at least n zeros."""
    zeros, group = parse_pattern(pattern)
    if weight.shape[1] % group:
        return False
    return bool(((weight.reshape(-1, group) == 0).sum(dim=1) >= zeros).all())
