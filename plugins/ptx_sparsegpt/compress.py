"""The pruning step: llm-compressor's SparseGPT, and the check that the zeros asked for are there."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ptx import DataSet, ModelRef, Run, StepError
from ptx.lm.compression import Layers, Weights, compress, zero_share
from ptx_sparsegpt import SparseGPT

TOLERANCE = 0.01  # of all weights: SparseGPT rounds per block of columns


def prune(run: Run, config: SparseGPT, model: ModelRef, data: DataSet | None) -> ModelRef:
    """Prune ``model`` and save it below ``run.folder``."""

    def modifier(ignore: list[str]) -> Any:
        from llmcompressor.modifiers.pruning import SparseGPTModifier

        return SparseGPTModifier(
            sparsity=config.sparsity,
            mask_structure="0:0" if config.pattern == "unstructured" else config.pattern,
            block_size=config.block_size,
            dampening_frac=config.dampening,
            targets=["Linear"],
            ignore=ignore,
        )

    return compress(run, model, data, config, modifier, lambda before, layers: measured(config, before, layers))


def measured(config: SparseGPT, before: Weights, layers: Layers) -> dict[str, float]:
    """The sparsity reached.

    Raises:
        StepError: it is below the one asked for, in all layers together or in a group of ``pattern``.
    """
    weights = [layer.weight.detach() for layer in layers.values()]
    reached = zero_share(weights)
    if reached < config.sparsity - TOLERANCE:
        raise StepError(
            f"asked for a sparsity of {config.sparsity}, but {reached:.4f} of the weights are zero; report this with the model's name"
        )
    if config.pattern != "unstructured":
        zeros, group = (int(part) for part in config.pattern.split(":"))
        broken = [name for name, layer in layers.items() if not has_pattern(layer.weight.detach(), zeros, group)]
        if broken:
            raise StepError(
                f"pattern {config.pattern} does not hold in {len(broken)} layers, first {broken[0]}; skip them or prune unstructured"
            )
    return {"sparsity": reached, "sparsity_before": zero_share(list(before.values()))}


def has_pattern(weight: Tensor, zeros: int, group: int) -> bool:
    """Whether every ``group`` neighbours in a row of ``weight`` (rows, columns) hold at least ``zeros`` zeros."""
    if weight.shape[1] % group:
        return False
    counts = (weight.reshape(-1, group) == 0).sum(dim=1)
    return bool(torch.all(counts >= zeros))
