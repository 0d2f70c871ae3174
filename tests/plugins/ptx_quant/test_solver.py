"""The pure parts against slow references: GPTQ with a mask, rounding, and widths by brute force."""

import itertools
import random

import pytest
import torch

from ptx_quant.solver import allocate, gptq_block


def problem(rows=6, columns=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(64, columns, generator=generator, dtype=torch.float64) @ torch.randn(
        columns, columns, generator=generator, dtype=torch.float64
    )
    hessian = inputs.T @ inputs / 64
    hessian += 0.01 * hessian.diagonal().mean() * torch.eye(columns)
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64), hessian


def cholesky(hessian):
    return torch.linalg.cholesky(torch.linalg.inv(hessian), upper=True)


def grid(weight, bits=3):
    scale = weight.abs().amax(1) * 2 / (2**bits - 1)
    top = 2 ** (bits - 1)
    return lambda column, _: (column / scale).round().clamp(-top, top - 1) * scale


def obs_reference(weight, hessian, nearest, pruned=None):
    """GPTQ by the OBS equations (Frantar et al. 2023, eq. 2).

    After each column the inverse Hessian of the remaining columns is computed anew.
    """
    weight, rows, columns = weight.clone(), *weight.shape
    done = torch.zeros_like(weight)
    for i in range(columns):
        inverse = torch.linalg.inv(hessian[i:, i:])
        near = nearest(weight[:, i], i)
        if pruned is not None:
            near[pruned[:, i]] = 0
        done[:, i] = near
        for row in range(rows):
            weight[row, i:] -= (weight[row, i] - near[row]) / inverse[0, 0] * inverse[0]
    return done


def error(weight, rounded, hessian):
    change = weight - rounded
    return float((change @ hessian * change).sum())


def test_a_block_is_what_the_obs_equations_give():
    weight, hessian = problem()
    rounded, _ = gptq_block(weight.clone(), cholesky(hessian), grid(weight))
    assert torch.allclose(rounded, obs_reference(weight, hessian, grid(weight)))
    nearest = torch.stack([grid(weight)(weight[:, i], i) for i in range(weight.shape[1])], 1)
    assert error(weight, rounded, hessian) < error(weight, nearest, hessian)


def test_a_mask_holds_and_loses_less_than_masking_again_afterwards():
    losses = []
    for seed in range(20):
        weight, hessian = problem(columns=32, seed=seed)
        pruned = weight.abs() < weight.abs().median()
        weight[pruned] = 0
        held, _ = gptq_block(weight.clone(), cholesky(hessian), grid(weight, 4), pruned)
        free, _ = gptq_block(weight.clone(), cholesky(hessian), grid(weight, 4))
        assert bool((held[pruned] == 0).all())
        assert torch.allclose(held, obs_reference(weight, hessian, grid(weight, 4), pruned))
        losses.append(
            (
                error(weight, held, hessian),
                error(weight, free.masked_fill(pruned, 0), hessian),
                bool((free[pruned] == 0).all()),
            )
        )
    assert not all(kept for _, _, kept in losses)
    assert sum(held < again for held, again, _ in losses) >= 16
    assert sum(held for held, _, _ in losses) < sum(again for _, again, _ in losses)


def test_the_library_agrees_with_the_reference_and_with_the_mask_held():
    """llm-compressor's GPTQ and ptx's block solve against the formulas: two blocks, reordered columns."""
    from compressed_tensors.quantization import QuantizationArgs
    from llmcompressor.modifiers.gptq.gptq_quantize import quantize_weight

    from ptx_quant.library_fixes import own_solve

    weight, hessian = problem(columns=32)
    pruned = weight.abs() < weight.abs().median()
    scale = weight.abs().amax(1, keepdim=True) * 2 / 15
    args = QuantizationArgs(num_bits=4, strategy="channel", symmetric=True, actorder="static")

    def solve(given):
        damp = 0.01
        done, _, _ = quantize_weight(
            given[None].float().clone(),
            hessian[None].float().clone(),
            scale[None].float(),
            torch.zeros_like(scale)[None].to(torch.int8),
            None,
            args,
            blocksize=8,
            percdamp=damp,
        )
        return done[0].double()

    damped = hessian + 0.01 * hessian.diagonal().mean() * torch.eye(32)
    order = hessian.diagonal().argsort(descending=True)
    back = order.argsort()
    nearest = lambda column, _: (column / scale[:, 0]).round().clamp(-8, 7) * scale[:, 0]

    def reference(given, mask=None):
        ordered = None if mask is None else mask[:, order]
        return obs_reference(given[:, order], damped[order][:, order], nearest, ordered)[:, back]

    agree = lambda one, other: (
        float((one - other).abs().gt(1e-4).double().mean()) < 0.02
    )  # a tie may round the other way in float32
    assert agree(solve(weight), reference(weight))
    sparse = weight.masked_fill(pruned, 0)
    assert not bool((solve(sparse)[pruned] == 0).all())
    dense = solve(weight)
    with own_solve():
        held = solve(sparse)
        assert torch.equal(solve(weight), dense), "a dense layer is solved as before, to the last bit"
    assert bool((held[pruned] == 0).all())
    assert agree(held, reference(sparse, pruned))


def test_sparsegpt_of_the_library_agrees_with_the_published_equations():
    """Frantar and Alistarh 2023, algorithm 1: the mask by w^2 / [H^-1]_jj^2 per block, then OBS updates."""
    from llmcompressor.modifiers.pruning.sparsegpt.sgpt_sparsify import sparsify_weight

    weight, hessian = problem(columns=32)
    hessian, block = hessian - 0.0, 8
    got = torch.nn.Linear(32, 6, bias=False)
    got.weight.data = weight.float()
    result = sparsify_weight(
        got,
        {got: hessian.float()},
        sparsity=0.5,
        prune_n=0,
        prune_m=0,
        block_size=block,
        dampening_frac=0.01,
        preserve_sparsity_mask=False,
    )
    _, pruned = result
    damped = hessian + 0.01 * hessian.diagonal().mean() * torch.eye(32)
    factor, rest = cholesky(damped), weight.clone()
    wanted = torch.zeros_like(weight)
    for start in range(0, 32, block):
        part = rest[:, start : start + block]
        saliency = part.square() / factor.diagonal()[start : start + block].square()
        mask = saliency <= saliency.flatten().sort().values[int(saliency.numel() * 0.5)]
        for i in range(block):
            column = start + i
            wanted[:, column] = rest[:, column].masked_fill(mask[:, i], 0)
            gap = (rest[:, column] - wanted[:, column]) / factor[column, column]
            rest[:, column:] -= gap[:, None] * factor[column, column:]
    assert float((pruned.double() - wanted).abs().gt(1e-4).double().mean()) < 0.02


def test_the_allocation_is_the_best_there_is():
    drawn = random.Random(0)
    for _ in range(50):
        sizes = [drawn.choice([4, 6, 10]) for _ in range(5)]
        costs = [[bits * size for bits in (3, 4, 8)] for size in sizes]
        losses = [sorted((drawn.random() for _ in range(3)), reverse=True) for _ in sizes]
        budget = int(4.3 * sum(sizes))
        options = itertools.product(range(3), repeat=5)
        fitting = [
            choice for choice in options if sum(c[i] for c, i in zip(costs, choice, strict=True)) <= budget
        ]
        best = min(sum(loss[i] for loss, i in zip(losses, choice, strict=True)) for choice in fitting)
        found = allocate(costs, losses, budget)
        assert sum(c[i] for c, i in zip(costs, found, strict=True)) <= budget
        assert sum(loss[i] for loss, i in zip(losses, found, strict=True)) == pytest.approx(best)


def test_a_budget_below_the_cheapest_choice_is_refused_and_a_huge_one_is_still_kept():
    with pytest.raises(ValueError, match="the budget of 5 is less than the 6 of the cheapest choice"):
        allocate([[6, 8]], [[1.0, 0.0]], 5)
    sizes = [10_007 + 13 * n for n in range(40)]  # no common divisor: costs are rounded up to a grid
    costs = [[3 * size, 4 * size, 8 * size] for size in sizes]
    losses = [[1.0, 0.5, 0.1]] * 40
    found = allocate(costs, losses, 4 * sum(sizes))
    assert sum(c[i] for c, i in zip(costs, found, strict=True)) <= 4 * sum(sizes)
    assert sum(losses[0][i] for i in found) < 1.05 * 0.5 * 40
