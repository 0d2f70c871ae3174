"""The grid that integer weights are rounded to: which neighbours share a scale, and the rounding itself.
Tensors and numbers, no imports of torch.

The arithmetic is that of compressed-tensors' min-max observer and ``fake_quantize``, operation by operation
and in the weight's own dtype: what is rounded here is to the bit what llm-compressor's rounding to nearest
stores of the same weight (a test holds it to that). One grid in one place: a quantiser that measures layers
by it and a training that looks through it must mean the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ptx.errors import SettingError

if TYPE_CHECKING:
    from torch import Tensor

CHANNEL = -1  # one scale per output channel


def check_grid(where: str, bits: int, group: int) -> None:
    """Refuse what is no grid; ``where`` is the choice whose fields ``bits`` and ``group_size`` these are.

    Raises:
        ValueError: what would be one, and what to type.
    """
    if not 2 <= bits <= 8:
        raise SettingError(f"{where}.bits must be 2 to 8, got {bits}; try {where}.bits=4", where)
    if group != CHANNEL and group < 8:
        raise SettingError(
            f"{where}.group_size must be -1 or at least 8, got {group}; try {where}.group_size=128", where
        )


def round_to_nearest(weight: Tensor, bits: int, group: int, *, symmetric: bool = True) -> Tensor:
    """``weight`` (R, C) on the grid of its groups of ``group`` neighbours (-1: the whole row), dequantised;
    an exact zero stays one.

    The scale is twice the largest magnitude over 2^bits - 1, or the range over it for a grid with a zero
    point (Jacob et al. 2018, section 2.1).
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
    scale = scale.masked_fill(scale == 0, 1)  # of a group that is zero all over
    codes = (grouped / scale + zero).clamp(least, most).round()
    return ((codes - zero) * scale).reshape(rows, columns)


def group_for(width: int, wanted: int) -> int:
    """The largest group of at most ``wanted`` weights that divides a layer's ``width`` inputs by a power of
    two; else a channel's scale.
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
    """The group size of each layer, given the number of inputs of each; ``fixed`` sizes cannot give way, so
    layers they do not divide are absent.
    """
    if fixed:
        return {name: wanted for name, width in widths.items() if wanted == CHANNEL or width % wanted == 0}
    return {name: group_for(width, wanted) for name, width in widths.items()}


def describe_group_sizes(widths: Mapping[str, int], groups: Mapping[str, int], wanted: int) -> str:
    """A sentence on the layers that could not have the group size asked for; empty when all have."""
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
    """The last parts of layers' names, each once: ``q_proj``, ``down_proj``."""
    return list(dict.fromkeys(name.rpartition(".")[2] for name in names))
