"""Which decoder layers a model needs least."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from ptx import Run
from ptx.lm.compression.oneshot import Batch
from ptx_structured_pruning import Depth
from ptx_structured_pruning.masks import without_layers
from ptx_structured_pruning.measure import run_rows
from ptx_structured_pruning.solver import angular_distance, best_block, block_influence, gate_score, lowest

#: measures that look at a layer alone, and not at the loss
PROTECTED = ("influence", "angular")


def unimportant_layers(
    run: Run, network: Any, config: Depth, count: int, batches: list[Batch]
) -> tuple[list[int], list[float]]:
    """Return the ``count`` decoder layers to remove, ascending, and the scores of the choice.

    There is one score per layer, infinite for one that has to stay. With ``angular`` there is one per block
    of ``count`` layers, at its first layer; with ``loss`` they are those of the last round (nan for a layer
    removed before).
    """
    if config.importance == "loss":
        return greedy(run, network, batches, count)
    total = len(network.model.layers)
    angular = config.importance == "angular"
    scores = [0.0] * (total - count + 1 if angular else total)

    with _streams(network) as seen:

        def add() -> None:
            for place in range(len(scores)):
                for row in range(len(seen[place][0])):
                    if angular:
                        scores[place] += angular_distance(
                            seen[place][0].detach()[row, -1], seen[place + count - 1][1].detach()[row, -1]
                        )
                    else:
                        scores[place] += _importance(config.importance, *seen[place], row)
            seen.clear()

        run_rows(run, network, batches, add, gradients=config.importance == "taylor")
    rows = sum(len(batch["input_ids"]) for batch in batches)
    means = [score / rows for score in scores]
    if config.importance in PROTECTED:
        means = protected(means, count, total)
    return (best_block(means, count) if angular else lowest(means, count)), means


def protected(scores: list[float], count: int, total: int) -> list[float]:
    """Return ``scores`` with infinity for every choice that would remove the first or the last layer.

    How much a layer changes its input says little at the ends: the first layer turns embeddings into what
    all others read, the last turns that into predictions. A model of 5 layers whose layer 0 changed its input
    least fell from 1.16 to 6.63 bits per byte without it; without the layer that the loss chose, to 2.70.
    Where only the ends would be left, nothing is protected.
    """
    if count > total - 2:
        return scores
    width = total - len(scores) + 1  # layers per score: one, or a block
    return [math.inf if place == 0 or place + width == total else score for place, score in enumerate(scores)]


def _importance(importance: str, before: Tensor, after: Tensor, row: int) -> float:
    """Return one row's importance of a layer: block influence, or a Taylor gate on what the layer adds.

    Args:
        importance: influence, or taylor.
        before: the layer's input, (B, T, D).
        after: its output, (B, T, D).
        row: the row's index in the batch.
    """
    if importance == "influence":
        return block_influence(before.detach()[row], after.detach()[row])
    assert after.grad is not None  # retained, and the loss depends on it
    added = (after - before).detach()[row].float()
    return float(gate_score(added[:, None], after.grad[row].float()[:, None]).sum())


@contextmanager
def _streams(network: Any) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Yield the input and output of each decoder layer, for the current rows."""
    seen: list[tuple[Tensor, Tensor]] = []

    def keep(_module: Any, inputs: tuple[Tensor, ...], output: Any) -> None:
        out = output[0] if isinstance(output, tuple) else output
        if out.requires_grad:
            out.retain_grad()
        seen.append((inputs[0], out))

    hooks = [layer.register_forward_hook(keep) for layer in network.model.layers]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def greedy(run: Run, network: Any, batches: list[Batch], count: int) -> tuple[list[int], list[float]]:
    """Remove one layer after the other, each time the one whose removal gives the lowest loss (SLEB).

    Source: Song et al. 2024.
    """
    removed: list[int] = []
    losses: list[float] = []
    for _ in range(count):
        losses = [float("nan")] * len(network.model.layers)
        left = [layer for layer in range(len(losses)) if layer not in removed]
        for layer in left:
            with without_layers(network, [*removed, layer]):
                losses[layer] = run_rows(run, network, batches, lambda: None)
        removed.append(min(left, key=losses.__getitem__))
    return sorted(removed), losses
