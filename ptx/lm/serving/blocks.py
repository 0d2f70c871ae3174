"""Round a matrix to integers in blocks: each block of neighbouring inputs shares a step and an offset.

A weight is ``step * (q - zero)`` with q in [0, 2^bits - 1]. To nearest, the step is a block's range over
2^bits - 1. The search also tries steps of range / k for other k, as llama.cpp does, and fits the step to the
chosen integers by least squares. It has a second purpose: weights that came out of a 4-bit file lie on a
grid already, and where a block does not use all its levels only the right k finds that grid again.

In such a file the smallest weight of a block is often a number of its own (llama.cpp's Q4_1 and Q4_K: step *
q + least), so ``zero`` is not an integer. A second grid with integer zeros is then off by up to half a step
in whole blocks: 0.52 nats per token on SmolLM2-135M-Instruct, against 0.0001 with ``zero="free"``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 1 << 17  # weights that are rounded together, so that they stay in the processor's cache
#: numbers of steps that are tried for the range of a block: fewer find a grid, more cut off its ends
LEVELS = (15.0, 14.0, 13.0, 12.0, 11.0, 10.0, 9.0, 8.0, 15.7, 16.4)
EIGHT = 255
SMALLEST = 6.2e-5  # of float16's normal numbers


@dataclass(frozen=True)
class Blocks:
    """The integers of a matrix (O, I) in G blocks of B inputs; I is padded to G * B."""

    q: Tensor  # uint8 (O, G, B)
    step: Tensor  # float32 (O, G)
    zero: Tensor  # float32 (O, G); integers unless they are free
    inputs: int

    def values(self) -> Tensor:
        """The weights that the integers stand for: float32 (O, I)."""
        found = (self.q.float() - self.zero[..., None]) * self.step[..., None]
        return found.flatten(1)[:, : self.inputs].contiguous()


def to_blocks(weight: Tensor, bits: int, size: int, zero: str = "integer", *, search: bool = True) -> Blocks:
    """Round ``weight`` (O, I) in blocks of ``size`` inputs; the steps are rounded to float16.

    Args:
        weight: the matrix.
        bits: 4 or 8.
        size: inputs per block.
        zero: ``integer``, ``middle`` (no zero point: half of the levels are negative) or ``free``.
        search: whether to look for the best step; otherwise it is the range over the levels.
    """
    padded = torch.nn.functional.pad(weight.float(), (0, -weight.shape[1] % size))
    blocks = padded.reshape(weight.shape[0], -1, size)
    chunk = max(1, CHUNK // blocks[0].numel())
    parts = [_rounded(part, 2**bits - 1, zero, search) for part in blocks.split(chunk)]
    q, step, offset = (torch.cat(found) for found in zip(*parts, strict=True))
    return Blocks(q, step, offset, weight.shape[1])


def _rounded(blocks: Tensor, top: int, zero: str, search: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Integers, step and zero of each of ``blocks`` (O, G, B)."""
    low, high = blocks.amin(-1), blocks.amax(-1)
    if zero == "integer":
        low, high = low.clamp(max=0), high.clamp(min=0)
    levels = torch.full_like(low, float(top))
    if search and top < EIGHT:
        errors = [
            _error(blocks, *_start(low, high, torch.full_like(low, one), top, zero), top) for one in LEVELS
        ]
        levels = torch.tensor(LEVELS)[torch.stack(errors).argmin(0)]
    step, offset = _start(low, high, levels, top, zero)
    if not search:
        step = half(step)
    q = _nearest(blocks, step, offset, top)
    if search:
        step = half(_fit(blocks, q - offset[..., None], step))
    if zero == "free":
        # the mean of a block becomes exact: the offset is the one other number that it has
        offset = q.mean(-1) - blocks.mean(-1) / step
    return q.to(torch.uint8), step, offset


def _start(low: Tensor, high: Tensor, levels: Tensor, top: int, zero: str) -> tuple[Tensor, Tensor]:
    """The step for ``levels`` steps in the range of a block, and the zero."""
    if zero == "middle":
        # the end that is larger lies on the lowest level, which reaches one step further than the highest
        end = torch.where(high.abs() > low.abs(), high, low)
        return _not_zero(-end / ((levels + 1) / 2)), torch.full_like(low, float((top + 1) // 2))
    step = _not_zero((high - low) / levels)
    offset = -low / step
    return step, offset if zero == "free" else offset.round_().clamp_(0, top)


def _nearest(blocks: Tensor, step: Tensor, offset: Tensor, top: int) -> Tensor:
    return (blocks * (1 / step)[..., None]).add_(offset[..., None]).round_().clamp_(0, top)


def _error(blocks: Tensor, step: Tensor, offset: Tensor, top: int) -> Tensor:
    """What is left of the squares of a block after the best step for its integers (less a constant)."""
    centred = _nearest(blocks, step, offset, top).sub_(offset[..., None])
    product, squares = _products(blocks, centred)
    return -product.square() / squares.clamp(min=1e-12)


def _fit(blocks: Tensor, centred: Tensor, step: Tensor) -> Tensor:
    product, squares = _products(blocks, centred)
    return _not_zero(torch.where(squares > 0, product / squares.clamp(min=1e-12), step))


def _products(blocks: Tensor, centred: Tensor) -> tuple[Tensor, Tensor]:
    return torch.einsum("ogb,ogb->og", blocks, centred), torch.einsum("ogb,ogb->og", centred, centred)


def half(step: Tensor) -> Tensor:
    """Round to float16 where that keeps 11 bits; smaller steps stay as they are."""
    stored = step.half().float()
    return torch.where((stored.abs() > SMALLEST) & stored.isfinite(), stored, step)


def _not_zero(step: Tensor) -> Tensor:
    return torch.where(step == 0, torch.ones_like(step), step)
