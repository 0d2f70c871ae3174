"""The quantisation step: which layers get which format, llm-compressor's modifiers, and saving."""

from __future__ import annotations

from typing import Any

from ptx import DataSet, ModelRef, Run, StepError
from ptx.lm.compression.grid import describe_group_sizes, groups_for
from ptx.lm.compression.network import Layers, context_of, ignore_patterns, load_merged, targeted_layers
from ptx.lm.compression.oneshot import apply, recorded_batches, save, session
from ptx.lm.load import load_tokenizer
from ptx_quant.budget import budget_of
from ptx_quant.modifiers import put_right, recipe, rounding
from ptx_quant.sensitivity import chosen_bits
from ptx_quant.settings import AutoRound, Mixed, Quantizer


def quantise(run: Run, config: Quantizer, model: ModelRef, data: DataSet | None) -> ModelRef:
    """Quantise ``model`` and save it below ``run.folder``."""
    tokenizer = load_tokenizer(model.path)
    network = load_merged(run, model, "" if config.dtype == "keep" else config.dtype)
    layers = targeted_layers(network, config.skip)
    groups = grouped(run, config, layers)
    layers = {name: layers[name] for name in groups}
    budget = (
        budget_of(config, model, network, tokenizer, layers, groups) if isinstance(config, Mixed) else None
    )
    batches = recorded_batches(run, data, tokenizer, config, context_of(network))
    if isinstance(config, Mixed) and budget:
        bits = chosen_bits(run, network, layers, groups, config, batches, budget)
    else:
        bits = dict.fromkeys(layers, config.format.bits)
    formats = {name: (bits[name], groups[name]) for name in layers}
    with session(run), put_right(config, network):
        apply(run, network, tokenizer, recipe(config, ignore_patterns(network, layers), formats), batches)
        if rounding(config) != "none":
            run.log({"quantised_layers": float(count_quantised(layers)), "bits": average(bits, layers)}, 1, 1)
        elif hasattr(network, "transform_config"):
            del (
                network.transform_config
            )  # rotations that are fused need no word in config.json, and saving stumbles over it
        return save(run, network, tokenizer, **stored_as(config))


def grouped(run: Run, config: Quantizer, layers: Layers) -> dict[str, int]:
    """The group size of each layer that can be quantised; what differs from the one asked for is told."""
    widths = {name: layer.in_features for name, layer in layers.items()}
    groups = groups_for(
        widths, config.group, fixed=config.format.group > 0 and config.format.preset != "FP8_BLOCK"
    )
    if isinstance(config, AutoRound):  # llm-compressor hands it one format for all layers
        groups = dict.fromkeys(
            groups, min(groups.values())
        )  # -1, a scale per channel, where one layer can have no groups
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
    """How many layers carry scales.

    Raises:
        StepError: not all of them.
    """
    missing = [name for name, layer in layers.items() if getattr(layer, "weight_scale", None) is None]
    if missing:
        raise StepError(
            f"{len(missing)} of {len(layers)} layers were not quantised, first {missing[0]}; leave them out"
            " with skip"
        )
    return len(layers)


def average(bits: dict[str, int], layers: Layers) -> float:
    """Bits per weight over all layers, without scales."""
    sizes: dict[str, int] = {name: layer.weight.numel() for name, layer in layers.items()}
    return sum(bits[name] * size for name, size in sizes.items()) / sum(sizes.values())


def stored_as(config: Quantizer) -> dict[str, Any]:
    """llm-compressor stores w4afp8 in 8 bits unless told otherwise."""
    return {"quantization_format": "pack-quantized"} if config.scheme in ("w4afp8", "w4a8") else {}
