"""Which decoder layers a model misses least."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from ptx import Run
from ptx.lm.compression.oneshot import Batch
from ptx_structured_pruning import Depth
from ptx_structured_pruning.masks import without_layers
from ptx_structured_pruning.measure import through
from ptx_structured_pruning.solver import angular_distance, best_block, block_influence, gate_score, lowest


def unimportant_layers(
    run: Run, network: Any, config: Depth, count: int, batches: list[Batch]
) -> tuple[list[int], list[float]]:
    """The ``count`` decoder layers to remove, ascending, and what they were chosen by.

    The scores are per layer; for angular per block of ``count`` layers, by its first; for loss those of the
    last choice (nan: gone before).
    """
    if config.importance == "loss":
        return greedy(run, network, batches, count)
    total = len(network.model.layers)
    angular = config.importance == "angular"
    scores = [0.0] * (total - count + 1 if angular else total)

    with _streams(network) as seen:

        def take() -> None:
            for place in range(len(scores)):
                for row in range(len(seen[place][0])):
                    if angular:
                        scores[place] += angular_distance(
                            seen[place][0].detach()[row, -1], seen[place + count - 1][1].detach()[row, -1]
                        )
                    else:
                        scores[place] += _worth(config.importance, *seen[place], row)
            seen.clear()

        through(run, network, batches, take, gradients=config.importance == "taylor")
    rows = sum(len(batch["input_ids"]) for batch in batches)
    means = [score / rows for score in scores]
    return (best_block(means, count) if angular else lowest(means, count)), means


def _worth(importance: str, before: Tensor, after: Tensor, row: int) -> float:
    """Block influence, or the Taylor importance of a gate on what the layer adds, of one row; (B, T, D)
    each.
    """
    if importance == "influence":
        return block_influence(before.detach()[row], after.detach()[row])
    assert after.grad is not None  # retained, and the loss depends on it
    added = (after - before).detach()[row].float()
    return float(gate_score(added[:, None], after.grad[row].float()[:, None]).sum())


@contextmanager
def _streams(network: Any) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """What went into each decoder layer and what came out, of the rows at hand."""
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
    """One layer after the other: each time the one without which the loss is lowest (Song et al. 2024,
    SLEB).
    """
    gone: list[int] = []
    losses: list[float] = []
    for _ in range(count):
        losses = [float("nan")] * len(network.model.layers)
        for layer in range(len(losses)):
            if layer not in gone:
                with without_layers(network, [*gone, layer]):
                    losses[layer] = through(run, network, batches, lambda: None)
        gone.append(min((place for place in range(len(losses)) if place not in gone), key=losses.__getitem__))
    return sorted(gone), losses
