"""The quantisation step: llm-compressor's GPTQ, and the checks that every layer was quantised and what became of pruned weights.

llm-compressor 0.14 has no way to keep the zeros of a pruned model through GPTQ: making up for one column's rounding moves the next
ones away from zero. What is left of them is measured and said.
"""

from __future__ import annotations

from typing import Any

from ptx import DataSet, ModelRef, Run, StepError
from ptx.lm.compression import Layers, Weights, compress, zero_share
from ptx_gptq import GPTQ

PRUNED = 0.05  # a dense model has next to no exact zeros; from this share on it counts as pruned


def quantise(run: Run, config: GPTQ, model: ModelRef, data: DataSet | None) -> ModelRef:
    """Quantise ``model`` and save it below ``run.folder``."""

    def check(before: Weights, layers: Layers) -> dict[str, float]:
        check_groups(config, layers)
        return {"quantised_layers": float(count_quantised(layers)), "bits": float(config.bits), **zeros_kept(run, before, layers)}

    return compress(run, model, data, config, lambda ignore: modifier(config, ignore), check)


def modifier(config: GPTQ, ignore: list[str]) -> Any:
    """llm-compressor's modifier for ``config``."""
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    from llmcompressor.modifiers.gptq import GPTQModifier

    grouped = {"strategy": "group", "group_size": config.group_size} if config.group_size > 0 else {"strategy": "channel"}
    weights = QuantizationArgs(num_bits=config.bits, type="int", symmetric=config.symmetric, **grouped)
    return GPTQModifier(
        config_groups={"group_0": QuantizationScheme(targets=["Linear"], weights=weights)},
        ignore=ignore,
        dampening_frac=config.dampening,
        actorder="static" if config.act_order else None,
    )


def check_groups(config: GPTQ, layers: Layers) -> None:
    """For the models whose ``config.json`` did not tell the widths."""
    odd = {name: layer.in_features for name, layer in layers.items() if config.group_size > 0 and layer.in_features % config.group_size}
    if odd:
        name, width = next(iter(odd.items()))
        raise StepError(f"group_size={config.group_size} does not divide the {width} inputs of {name}; try compress.gptq.group_size=-1")


def count_quantised(layers: Layers) -> int:
    """How many layers carry scales.

    Raises:
        StepError: not all of them.
    """
    missing = [name for name, layer in layers.items() if getattr(layer, "weight_scale", None) is None]
    if missing:
        raise StepError(
            f"{len(missing)} of {len(layers)} layers were not quantised, first {missing[0]}; leave them out with compress.gptq.skip"
        )
    return len(layers)


def zeros_kept(run: Run, before: Weights, layers: Layers) -> dict[str, float]:
    """How many zeros there were and are, and which share of a pruned model's zeros stayed."""
    were, are = zero_share(list(before.values())), zero_share([layer.weight.detach() for layer in layers.values()])
    found = {"zeros_before": were, "zeros_after": are}
    if were < PRUNED:
        return found
    pruned = sum(int((weight == 0).sum()) for weight in before.values())
    stayed = sum(int(((weight == 0) & (layers[name].weight.detach().cpu() == 0)).sum()) for name, weight in before.items())
    run.say(
        f"{were:.1%} of the weights were zero before quantisation and {are:.1%} are now: {stayed / pruned:.1%} of the pruned weights stayed zero "
        "(GPTQ in llm-compressor does not keep the pruning mask)"
    )
    return {**found, "zeros_kept": stayed / pruned}
