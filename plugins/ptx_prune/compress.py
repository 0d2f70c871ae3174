"""The pruning steps, and the check that every layer has the requested zeros."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn

from ptx import DataSet, ModelRef, Run, StepError
from ptx.lm.compression.network import Layers, Weights, zero_share
from ptx.lm.compression.oneshot import Batch, Given, compress, edit
from ptx.lm.compression.sparsity import parse_pattern
from ptx.lm.compression.statistics import shared_statistics
from ptx.lm.load import load_tokenizer
from ptx_prune import Magnitude, OneShot, SparseGPT, Wanda
from ptx_prune.allocate import named, share_of, sparsities
from ptx_prune.solver import smallest, smallest_n_of_m, threshold_over

# share of a layer's weights: SparseGPT rounds per block of columns; Wanda per row, so by one column at most
TOLERANCE = 0.01


def prune(run: Run, compressor: OneShot, model: ModelRef, data: DataSet | None) -> ModelRef:
    """Prune ``model`` with llm-compressor and save it below ``run.folder``."""
    asked: dict[str, float] = {}
    listed: list[float] = []

    def prepare(network: Any, layers: Layers, batches: list[Batch]) -> Given | None:
        measured_on = partial(shared_statistics, run, model, network, load_tokenizer(model.path), batches)
        asked.update(sparsities(run, compressor, layers, measured_on))
        # llm-compressor wants one number per module that ``targets`` matches, in this order, the ignored
        # modules included
        linear = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
        listed.extend(asked.get(name, compressor.sparsity) for name in linear)
        if compressor.statistics == "sequential":
            return None
        return measured_on(hessians=compressor.hessians).given_to

    def check(before: Weights, layers: Layers) -> dict[str, float]:
        return measured(asked, before, layers)

    return compress(
        run, model, data, compressor, lambda ignore: modifier(compressor, listed, ignore), check, prepare
    )


def modifier(config: OneShot, sparsity: list[float], ignore: list[str]) -> Any:
    """Return llm-compressor's modifier; ``sparsity`` has one value per linear layer of the model."""
    from llmcompressor.modifiers.pruning import SparseGPTModifier, WandaPruningModifier

    mask = "0:0" if config.pattern == "unstructured" else config.pattern
    common = {"sparsity": sparsity, "mask_structure": mask, "targets": ["Linear"], "ignore": ignore}
    if isinstance(config, Wanda):
        return WandaPruningModifier(**common)
    assert isinstance(config, SparseGPT)
    return SparseGPTModifier(block_size=config.block_size, dampening_frac=config.dampening, **common)


def prune_by_magnitude(run: Run, compressor: Magnitude, model: ModelRef) -> ModelRef:
    """Set the smallest weights of ``model`` to zero and save it below ``run.folder``."""
    asked: dict[str, float] = {}

    def work(_network: Any, layers: Layers) -> None:
        limit = 0.0
        if compressor.scope == "layer":
            asked.update(named(layers, compressor.sparsity, compressor.layers))
        else:
            weights = [layer.meant(layer.weight.detach()) for layer in layers.values()]
            limit = threshold_over(weights, compressor.sparsity)
        for number, (name, layer) in enumerate(layers.items(), 1):
            view = layer.view
            for piece in layer.pieces:  # each projection of an expert by itself
                weight = piece.of(view)
                scores = weight.abs().float()
                share = share_of(piece, compressor.sparsity, compressor.layers)
                mask = _mask(compressor.pattern, scores, share, name) if asked else scores <= limit
                weight[mask] = 0
            run.log({"layers_done": number, "layers": len(layers)}, number, len(layers))

    def check(before: Weights, layers: Layers) -> dict[str, float]:
        return measured(
            asked or dict.fromkeys(layers, 0.0),
            before,
            layers,
            overall=compressor.sparsity if not asked else None,
        )

    return edit(run, model, compressor.skip, work, check)


def _mask(pattern: str, scores: Tensor, share: float, name: str) -> Tensor:
    if pattern == "unstructured":
        return smallest(scores, share)
    zeros, group = parse_pattern(pattern)
    if scores.shape[1] % group:
        raise StepError(
            f"pattern {pattern} does not divide the {scores.shape[1]} inputs of {name}; skip it or prune"
            " unstructured"
        )
    return smallest_n_of_m(scores, zeros, group)


def measured(
    asked: dict[str, float], before: Weights, layers: Layers, *, overall: float | None = None
) -> dict[str, float]:
    """The sparsity reached, in all layers together and in the least and the most sparse of them.

    Raises:
        StepError: it is below the one asked for, in a layer or ``overall``; n:m patterns are looked at by
            ``ptx_checks``.
    """
    meant = {name: layer.meant(layer.weight.detach()) for name, layer in layers.items()}
    reached = {name: zero_share([weight]) for name, weight in meant.items()}
    short = [
        name
        for name, share in reached.items()
        if share < asked[name] - max(TOLERANCE, 1 / layers[name].inputs)
    ]
    if short:
        raise StepError(
            f"{len(short)} of {len(layers)} layers are less sparse than asked for, first {short[0]}:"
            f" {reached[short[0]]:.4f} of its weights are zero, not {asked[short[0]]:.4f}; report this with"
            " the model's name"
        )
    share = zero_share(list(meant.values()))
    if overall is not None and share < overall - TOLERANCE:
        raise StepError(
            f"asked for a sparsity of {overall}, but {share:.4f} of the weights are zero; report this with"
            " the model's name"
        )
    total = sum(weight.numel() for weight in meant.values())
    were = sum(int((layers[name].meant(weight) == 0).sum()) for name, weight in before.items()) / total
    return {
        "sparsity": share,
        "sparsity_before": were,
        "sparsity_lowest": min(reached.values()),
        "sparsity_highest": max(reached.values()),
    }
