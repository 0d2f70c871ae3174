"""The quantisation step: the format of each layer, llm-compressor's modifiers, and saving."""

from __future__ import annotations

import math
from typing import Any

from ptx import DataSet, ModelRef, Run, StepError
from ptx.lm.compression.grid import describe_group_sizes, group_for, groups_for
from ptx.lm.compression.linear import name_experts, unpack_experts
from ptx.lm.compression.network import (
    Layers,
    context_of,
    ignore_patterns,
    linear_alone,
    load_merged,
    targeted_matrices,
)
from ptx.lm.compression.oneshot import Batch, apply, recorded_batches, save, session
from ptx.lm.compression.statistics import Statistics, shared_statistics
from ptx.lm.compression.trace import trace_of
from ptx.lm.drift import ROWS, drift, predictions, refuse_moved, rows_of
from ptx.lm.load import load_tokenizer
from ptx_quant.budget import budget_of
from ptx_quant.library_fixes import library_fixed
from ptx_quant.mixed import Mixed
from ptx_quant.modifiers import recipe, rotated_sizes, rounding
from ptx_quant.sensitivity import chosen_bits
from ptx_quant.settings import AutoRound, Quantizer, SmoothQuant, SpinQuant


def quantise(run: Run, compressor: Quantizer, model: ModelRef, data: DataSet | None) -> ModelRef:
    """Quantise ``model`` and save it below ``run.folder``."""
    tokenizer = load_tokenizer(model.path)
    network = load_merged(run, model, "" if compressor.dtype == "keep" else compressor.dtype)
    unpack_experts(network)
    layers = linear_alone(targeted_matrices(network, compressor.skip), type(compressor).__name__)
    groups = group_sizes(run, compressor, layers)
    layers = {name: layers[name] for name in groups}
    budget = None  # a budget that cannot be met is refused before calibration
    if isinstance(compressor, Mixed):
        budget = budget_of(compressor, model, network, tokenizer, layers, groups)
    batches = recorded_batches(run, data, tokenizer, compressor, context_of(network))
    if isinstance(compressor, Mixed) and budget:
        bits = chosen_bits(run, model, network, layers, groups, compressor, batches, budget)
    else:
        bits = dict.fromkeys(layers, compressor.format.bits)
    formats = {name: (bits[name], groups[name]) for name in layers}
    with session(run), library_fixed(compressor, network):
        readers = smoothable(compressor, model, layers)
        modifiers = recipe(
            compressor, ignore_patterns(network, layers), formats, readers, rotated_sizes(network.config)
        )
        if isinstance(compressor, SmoothQuant | SpinQuant):
            rows = [row.tolist() for batch in batches for row in batch["input_ids"]] or rows_of(tokenizer)
            transform(run, network, tokenizer, modifiers[0], batches, rows[:ROWS])
            modifiers = modifiers[1:]
        if getattr(compressor, "statistics", "") == "shared":
            found = shared_statistics(run, model, network, tokenizer, batches)
            apply(run, network, tokenizer, reading(modifiers, found), batches, found.given_to)
        elif modifiers:
            apply(run, network, tokenizer, modifiers, batches)
        if rounding(compressor) != "none":
            quantised = float(count_quantised(layers))
            run.log({"quantised_layers": quantised, "bits": average_bits(bits, layers)}, 1, 1)
        elif hasattr(network, "transform_config"):
            # fused rotations need no entry in config.json, and saving fails with one
            del network.transform_config
        name_experts(network)
        return save(run, network, tokenizer, **saving_options(compressor))


def reading(modifiers: list[Any], statistics: Statistics) -> list[Any]:
    """Let AWQ's search read the statistics itself; GPTQ gets those of each stage when its turn comes."""
    for modifier in modifiers:
        if hasattr(modifier, "read"):
            modifier.read(statistics)
    return modifiers


def smoothable(config: Quantizer, model: ModelRef, layers: Layers) -> dict[str, list[str]]:
    """Return the norms whose outliers SmoothQuant can move, each with all linear layers that read it."""
    trace = trace_of(model.path) if isinstance(config, SmoothQuant) else None
    readers = trace.readers if trace else {}
    return {norm: names for norm, names in readers.items() if all(name in layers for name in names)}


def transform(
    run: Run, network: Any, tokenizer: Any, modifier: Any, batches: list[Batch], rows: list[list[int]]
) -> None:
    """Change coordinates, and check that the model still computes the same.

    Raises:
        StepError: it does not. Rounding would hide that.
    """
    before = predictions(network, rows)
    own = run.at(checkpoints=run.checkpoints / "transform")
    own.checkpoints.mkdir(exist_ok=True)
    apply(own, network, tokenizer, modifier, batches)
    moved = drift(rows, before, predictions(network, rows))
    name = type(modifier).__name__.removesuffix("Modifier")
    refuse_moved(
        moved, str(network.dtype).removeprefix("torch."), name, "use compress=[gptq] or compress=[rtn]"
    )
    run.event("transformed", kl=moved.kl, tokens=moved.tokens)


def group_sizes(run: Run, config: Quantizer, layers: Layers) -> dict[str, int]:
    """Return the group size of each layer that can be quantised.

    A group size that differs from the setting is shown to the user.
    """
    widths = {name: layer.inputs for name, layer in layers.items()}
    groups = groups_for(
        widths, config.group, fixed=config.format.group > 0 and config.format.preset != "FP8_BLOCK"
    )
    if experts := [name for name in groups if ".experts." in name]:
        # transformers reads all experts in one format
        common = group_for(math.gcd(*(widths[name] for name in experts)), config.group)
        groups |= dict.fromkeys(experts, common)
    if isinstance(config, AutoRound):  # llm-compressor supports one format for all layers here
        # -1, a scale per channel, where one layer cannot have groups
        groups = dict.fromkeys(groups, min(groups.values()))
    if config.format.preset != "FP8_BLOCK" and (note := describe_group_sizes(widths, groups, config.group)):
        run.say(note)
    if not groups:
        raise StepError(
            f"scheme {config.scheme} has groups of {config.group}, which divide no layer's inputs; choose"
            " another scheme"
        )
    run.event("groups", groups=groups)
    return groups


def count_quantised(layers: Layers) -> int:
    """Return how many layers have scales.

    Raises:
        StepError: a layer has none.
    """
    missing = [name for name, layer in layers.items() if getattr(layer.module, "weight_scale", None) is None]
    if missing:
        raise StepError(
            f"{len(missing)} of {len(layers)} layers were not quantised, first {missing[0]}; leave them out"
            " with skip"
        )
    return len(layers)


def average_bits(bits: dict[str, int], layers: Layers) -> float:
    """Return the bits per weight over all layers, without scales."""
    sizes: dict[str, int] = {name: layer.weight.numel() for name, layer in layers.items()}
    return sum(bits[name] * size for name, size in sizes.items()) / sum(sizes.values())


def saving_options(config: Quantizer) -> dict[str, Any]:
    """Return the options for saving: llm-compressor stores w4afp8 in 8 bits by default."""
    return {"quantization_format": "pack-quantized"} if config.scheme in ("w4afp8", "w4a8") else {}
