"""The sparsity of each linear layer: the setting, then OWL's measurement, then the values of named layers."""

from __future__ import annotations

import operator
import re
from collections import defaultdict
from collections.abc import Callable

import torch
from torch import Tensor

from ptx import Run, StepError
from ptx.lm.compression.grid import endings
from ptx.lm.compression.network import Layers
from ptx.lm.compression.statistics import Statistics
from ptx.lm.matrices import Matrix, Piece
from ptx_prune import OneShot
from ptx_prune.solver import outlier_share, owl, wanda_scores


def sparsities(
    run: Run, config: OneShot, layers: Layers, statistics: Callable[..., Statistics]
) -> dict[str, float]:
    """Return the sparsity of each of ``layers``.

    ``statistics`` gives those of the inputs in the uncompressed model.
    """
    asked = named(layers, config.sparsity, config.layers)
    if config.allocation == "uniform":
        return asked
    found = statistics(hessians=config.statistics == "shared" and config.hessians)
    norms = {
        name: found.norms(name) if name in found else torch.zeros(layer.inputs)
        for name, layer in layers.items()
    }
    by_depth = _owl(config, layers, norms)
    run.say(f"owl: sparsity per decoder layer {', '.join(f'{value:.3f}' for value in by_depth.values())}")
    return {
        name: by_depth[decoder_layer(name)] if value == config.sparsity else value
        for name, value in asked.items()
    }


def named(layers: Layers, sparsity: float, named_layers: dict[str, float]) -> dict[str, float]:
    """Return each layer's sparsity: the value of the last expression found in its name, else ``sparsity``.

    That of a stack of experts is the mean of its matrices.

    Raises:
        StepError: an expression matches no name.
    """
    for expression in named_layers:
        if not any(piece.matches([expression]) for layer in layers.values() for piece in layer.pieces):
            raise StepError(
                f"layers: {expression!r} matches no linear layer; there are"
                f" {', '.join(sorted(endings(layers)))}"
            )
    return {name: _mean_share(layer, sparsity, named_layers) for name, layer in layers.items()}


def share_of(piece: Piece, sparsity: float, named_layers: dict[str, float]) -> float:
    """Return the sparsity of one matrix: the value of the last expression that finds it."""
    return ([sparsity] + [value for one, value in named_layers.items() if piece.matches([one])])[-1]


def _mean_share(layer: Matrix, sparsity: float, named_layers: dict[str, float]) -> float:
    if len(layer.pieces) == 1 or not named_layers:
        return share_of(layer.pieces[0], sparsity, named_layers)
    view = layer.view
    sizes = [int(piece.of(view).numel()) for piece in layer.pieces]
    shares = [share_of(piece, sparsity, named_layers) for piece in layer.pieces]
    return float(sum(map(operator.mul, shares, sizes)) / sum(sizes))


def decoder_layer(name: str) -> str:
    """Return the decoder layer of a name: ``model.layers.3`` of ``model.layers.3.mlp.down_proj``.

    A name outside the decoder layers is returned unchanged.
    """
    found = re.match(r"(.*?\.\d+)\.", name)
    return found[1] if found else name


def _owl(config: OneShot, layers: Layers, norms: dict[str, Tensor]) -> dict[str, float]:
    """Return the sparsity of each decoder layer."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in layers:
        groups[decoder_layer(name)].append(name)
    shares = []
    for names in groups.values():
        scores = [wanda_scores(layers[name].view[0].float().cpu(), norms[name]) for name in names]
        shares.append(outlier_share(scores, config.outlier))
    sizes = [sum(layers[name].weight.numel() for name in names) for names in groups.values()]
    return dict(zip(groups, owl(shares, sizes, config.sparsity, config.spread), strict=True))
