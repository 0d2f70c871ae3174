"""The grid of integer weights: which weights share a scale, and rounding to nearest.

The arithmetic is that of compressed-tensors' min-max observer and ``fake_quantize``, operation by operation
and in the weight's own dtype. So the result equals, bit for bit, what llm-compressor stores when it rounds
the same weight to nearest; a test compares the two. There is one implementation because a quantiser that
measures its error by this grid and a training that rounds to it (``qat=rtn``) must use the same numbers.

The functions work on tensors, but this module does not import torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ptx.errors import SettingError

if TYPE_CHECKING:
    from torch import Tensor

CHANNEL = -1  # one scale per output channel


def check_grid(where: str, bits: int, group: int) -> None:
    """Check the fields ``bits`` and ``group_size`` of the choice ``where``.

    Raises:
        ValueError: a value is out of range.
    """
    if not 2 <= bits <= 8:
        raise SettingError(f"{where}.bits must be 2 to 8, got {bits}; try {where}.bits=4", where)
    if group != CHANNEL and group < 8:
        raise SettingError(
            f"{where}.group_size must be -1 or at least 8, got {group}; try {where}.group_size=128", where
        )


def round_to_nearest(weight: Tensor, bits: int, group: int, *, symmetric: bool = True) -> Tensor:
    """``weight`` (R, C) rounded to its grid and dequantised; an exact zero stays zero.

    Each ``group`` of neighbours in a row (-1: the whole row) has one scale. On a symmetric grid the scale is
    twice the largest magnitude divided by 2^bits - 1; on one with a zero point it is the range divided by
    2^bits - 1 (Jacob et al. 2018, section 2.1).
    """
    rows, columns = weight.shape
    grouped = weight.reshape(rows, -1, columns if group == CHANNEL else group)
    low, high = grouped.amin(-1, keepdim=True).clamp(max=0), grouped.amax(-1, keepdim=True).clamp(min=0)
    least, most, steps = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 2**bits - 1
    if symmetric:
        scale = low.neg().maximum(high) / (steps / 2)
        zero = low * 0
    else:
        scale = (high - low) / steps
        zero = (least - low / scale).clamp(least, most).nan_to_num(0).round()
    scale = scale.masked_fill(scale == 0, 1)  # all weights of the group are zero
    codes = (grouped / scale + zero).clamp(least, most).round()
    return ((codes - zero) * scale).reshape(rows, columns)


def group_for(width: int, wanted: int) -> int:
    """The group size for a layer with ``width`` inputs: ``wanted``, halved until it divides ``width``.

    CHANNEL when no size of at least 8 divides it.
    """
    if wanted in (CHANNEL, width):
        return wanted
    size = wanted
    while size >= 8:
        if width % size == 0:
            return size
        size //= 2
    return CHANNEL


def groups_for(widths: Mapping[str, int], wanted: int, *, fixed: bool = False) -> dict[str, int]:
    """The group size of each layer, from its number of inputs.

    A ``fixed`` size is not adapted: layers whose inputs it does not divide are left out of the result.
    """
    if fixed:
        return {name: wanted for name, width in widths.items() if wanted == CHANNEL or width % wanted == 0}
    return {name: group_for(width, wanted) for name, width in widths.items()}


def describe_group_sizes(widths: Mapping[str, int], groups: Mapping[str, int], wanted: int) -> str:
    """A sentence about the layers that do not have the group size ``wanted``; empty when all have it."""
    parts = []
    for size in sorted({size for size in groups.values() if size != wanted}, reverse=True):
        names = endings(name for name, given in groups.items() if given == size)
        parts.append(
            f"{', '.join(names)}: {f'groups of {size}' if size > 0 else 'one scale per output channel'}"
        )
    if left := endings(name for name in widths if name not in groups):
        parts.append(f"{', '.join(left)}: left alone")
    return (
        f"group size {wanted} does not divide the inputs of some layers; {'; '.join(parts)}" if parts else ""
    )


def endings(names: Iterable[str]) -> list[str]:
    """The last parts of the layers' names without repetition: ``q_proj``, ``down_proj``."""
    return list(dict.fromkeys(name.rpartition(".")[2] for name in names))
