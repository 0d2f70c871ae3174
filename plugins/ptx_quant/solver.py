"""The mathematics, on tensors and numbers alone: GPTQ with a fixed mask, and bit widths within a budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

MAX_STATES = 20_000  # of the knapsack; with more, costs are rounded up to a grid


def gptq_block(
    weight: Tensor, factor: Tensor, nearest: Callable[[Tensor, int], Tensor], pruned: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Solve one block of GPTQ (Frantar et al. 2023, algorithm 1), with pruned weights rounded to zero.

    The mask is handled as in section 3.5 of SparseGPT. A pruned weight is zero when the block begins, but
    compensating the errors of earlier columns moves it. Setting it to zero again is one more error, which the
    later columns compensate. Masking after the solve would leave that error where it is.

    A column lies in one piece here, for a step is three operations on the columns behind it. The operations
    on each number are those of llm-compressor, in its order, so the result is its to the last bit.

    Args:
        weight: (..., R, B), the block's columns.
        factor: (..., B, B), rows of the upper Cholesky factor of the inverse Hessian.
        nearest: rounds column number i of the block, (..., R), to its grid.
        pruned: (..., R, B), true where a weight has to stay zero.

    Returns:
        The rounded block, and the errors divided by the factor's diagonal (algorithm 1's E), both (..., R,
        B).
    """
    columns = weight.movedim(-1, 0).clone(memory_format=torch.contiguous_format)  # (B, ..., R)
    factors = factor.movedim((-2, -1), (0, 1)).unsqueeze(-1)  # (B, B, ..., 1)
    rounded, errors, change = (torch.empty_like(columns) for _ in range(3))
    for i, column in enumerate(columns):
        near = nearest(column, i)
        rounded[i] = near if pruned is None else near.masked_fill(pruned[..., i], 0)
        torch.sub(column, rounded[i], out=errors[i]).div_(factors[i, i])
        later = slice(i + 1, None)
        columns[later] -= torch.mul(errors[i], factors[i, later], out=change[later])
    return rounded.movedim(0, -1), errors.movedim(0, -1)


def allocate(costs: Sequence[Sequence[int]], losses: Sequence[Sequence[float]], budget: int) -> list[int]:
    """Choose one option per item: the least sum of losses with a sum of costs of at most ``budget``.

    This is the multiple-choice knapsack, solved item by item over the states that no other state beats in
    both cost and loss. That is exact. With more than 20,000 cost units, costs are rounded up to a grid: the
    budget is kept, and the best choice may be missed by one grid step per item.

    Raises:
        ValueError: the cheapest options together cost more than the budget.
    """
    least = sum(map(min, costs))
    if least > budget:
        raise ValueError(f"the budget of {budget} is less than the {least} of the cheapest choice")
    unit = math.gcd(budget, *(cost for options in costs for cost in options)) or 1
    unit = max(unit, -(-budget // MAX_STATES) if budget // unit > MAX_STATES else unit)
    states: list[tuple[int, float, tuple[int, ...]]] = [(0, 0.0, ())]
    rest = [
        sum(min(-(-cost // unit) for cost in options) for options in costs[place + 1 :])
        for place in range(len(costs))
    ]
    limit = budget // unit
    if unit > 1 and sum(min(-(-cost // unit) for cost in options) for options in costs) > limit:
        return [min(range(len(options)), key=options.__getitem__) for options in costs]
    for options, lost, needed in zip(costs, losses, rest, strict=True):
        grown = [
            (cost + -(-price // unit), loss + lost[choice], (*taken, choice))
            for cost, loss, taken in states
            for choice, price in enumerate(options)
            if cost + -(-price // unit) + needed <= limit
        ]
        states = _undominated(grown)
    return list(min(states, key=lambda state: state[1])[2])


def _undominated(
    states: list[tuple[int, float, tuple[int, ...]]],
) -> list[tuple[int, float, tuple[int, ...]]]:
    """Return the states that no other beats: by rising cost, each with less loss than all before."""
    kept: list[tuple[int, float, tuple[int, ...]]] = []
    for state in sorted(states):
        if not kept or state[1] < kept[-1][1]:
            kept.append(state)
    return kept
