"""llm-compressor's modifiers for a compressor's settings.

AWQ, SmoothQuant and SpinQuant have no scheme of their own: a modifier that rounds follows them. Faults of the
library are corrected in :mod:`ptx_quant.library_fixes`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

from ptx import Problem, did_you_mean
from ptx.lm.load import quiet
from ptx.lm.training.trl_args import fits, wanted
from ptx_quant.mixed import Mixed
from ptx_quant.scheme import FREE
from ptx_quant.settings import AWQ, GPTQ, AutoRound, Quantizer, SmoothQuant, SpinQuant, Transformed

#: argument of a modifier that ptx sets -> the field of ptx for it (empty: none)
OWNED = {
    "config_groups": "scheme, bits and group_size",
    "scheme": "scheme",
    "targets": "skip",
    "ignore": "skip",
    "kv_cache_scheme": "kv_cache",
    "weight_observer": "observer",
    "input_observer": "activation_observer",
    "output_observer": "activation_observer",
    "observer": "observer",
    "dampening_frac": "dampening",
    "actorder": "act_order",
    "smoothing_strength": "strength",
    "rotations": "rotations",
    "iters": "iterations",
    **dict.fromkeys(("index", "group", "start", "end", "update", "bypass_divisibility_checks"), ""),
}
LARGEST_HADAMARD = 256  # of the matrices that come with compressed-tensors, one for every multiple of 4
KV = {"fp8": {"type": "float", "num_bits": 8}, "int8": {"type": "int", "num_bits": 8}}


def main_type(config: Quantizer) -> Any:
    """Return the modifier class that ``args`` belong to."""
    from llmcompressor.modifiers.gptq import GPTQModifier
    from llmcompressor.modifiers.quantization import QuantizationModifier
    from llmcompressor.modifiers.transform import AWQModifier, SmoothQuantModifier, SpinQuantModifier

    if isinstance(config, AutoRound):
        from llmcompressor.modifiers.autoround import AutoRoundModifier

        return AutoRoundModifier
    if isinstance(config, AWQ) and config.statistics == "shared":
        from ptx_quant.scale_search import ScaleSearch

        return ScaleSearch
    types: dict[type, Any] = {
        AWQ: AWQModifier,
        SmoothQuant: SmoothQuantModifier,
        SpinQuant: SpinQuantModifier,
    }
    return types.get(type(config)) or (GPTQModifier if rounding(config) == "gptq" else QuantizationModifier)


def args_problems(config: Quantizer) -> list[Problem]:
    """Report problems of ``args``; llm-compressor is imported only when there are any."""
    if not config.args:
        return []
    quiet()
    fields = main_type(config).model_fields
    found = []
    for name, value in config.args.items():
        where = config.at("args") + f".{name}"
        if name in OWNED and name in fields:
            instead = OWNED[name]
            found.append(
                Problem(
                    f"{where} is for ptx to set", f"use {config.at(instead)}" if instead else "leave it out"
                )
            )
        elif name not in fields:
            free = [known for known in fields if known not in OWNED and not known.endswith("_")]
            found.append(
                Problem(
                    f"no argument {name!r} of llm-compressor's {main_type(config).__name__}",
                    did_you_mean(name, free),
                )
            )
        elif not fits(value, fields[name].annotation):
            found.append(
                Problem(
                    f"{where} must be {wanted(fields[name].annotation)}, got {value!r}", f"type {where}=VALUE"
                )
            )
    return found


def rounding(config: Quantizer) -> str:
    """Return the name of what rounds the weights: rtn, gptq, autoround, or none."""
    return str(config.then) if isinstance(config, Transformed | Mixed) else config.rounding


def recipe(
    config: Quantizer,
    ignore: list[str],
    layers: Mapping[str, tuple[int, int]],
    readers: Mapping[str, list[str]] | None = None,
    sizes: Mapping[str, int] | None = None,
) -> list[Any]:
    """Return the modifiers in order.

    Args:
        config: the compressor.
        ignore: patterns of the linear layers to skip.
        layers: name -> (bits, group size) of those to quantise.
        readers: for SmoothQuant, norm -> the linear layers that read its output.
        sizes: for SpinQuant, rotation -> the numbers that it turns together.
    """
    from llmcompressor.modifiers.gptq import GPTQModifier
    from llmcompressor.modifiers.quantization import QuantizationModifier

    transform = (
        [main_type(config)(**{**_transform(config, readers or {}, sizes or {}), **config.args})]
        if isinstance(config, Transformed)
        else []
    )
    own = {} if transform else config.args
    scheme = {
        "config_groups": config_groups(config, layers),
        "ignore": ignore,
        "kv_cache_scheme": kv_cache(config),
    }
    if rounding(config) == "none":
        return transform
    if rounding(config) == "gptq":
        act_order = config.act_order if isinstance(config, GPTQ) else True
        dampening = config.dampening if isinstance(config, GPTQ) else 0.01
        order = "static" if act_order else None
        return [*transform, GPTQModifier(**scheme, dampening_frac=dampening, actorder=order, **own)]
    if isinstance(config, AutoRound):
        compiled = {"enable_torch_compile": torch.cuda.is_available()}
        return [main_type(config)(**scheme, iters=config.iterations, **{**compiled, **own})]
    return [*transform, QuantizationModifier(**scheme, **own)]


def _transform(
    config: Transformed, readers: Mapping[str, list[str]], sizes: Mapping[str, int]
) -> dict[str, Any]:
    """Return the arguments of the modifier that changes coordinates.

    The library takes SmoothQuant's layers from a table by architecture, which names the wrong norm of Gemma 3
    and half of the layers of Phi. Here they are those that were seen to read a norm.
    """
    if isinstance(config, SmoothQuant):
        pairs = [[[_exactly(name) for name in names], _exactly(norm)] for norm, names in readers.items()]
        return {"smoothing_strength": config.strength} | ({"mappings": pairs} if pairs else {})
    return rotation(config, sizes) if isinstance(config, SpinQuant) else {}


def rotation(config: SpinQuant, sizes: Mapping[str, int]) -> dict[str, Any]:
    """Return the rotations, of a kind that exists for their ``sizes`` (R1: hidden size, R2: head size).

    The library's default, a Hadamard matrix without random signs, exists for powers of two alone, and
    SmolLM2 has 576 numbers per token. With random signs it exists for four times a power of two times any
    number up to 64. For all other sizes there is a random rotation. Each is fused into the weights, so a
    served model is equally fast with all of them.
    """
    block = config.args.get("transform_block_size")
    wanted = [block or sizes[name] for name in config.rotations if block or name in sizes]
    kinds = ("hadamard", "random-hadamard", "random-matrix")
    kind = kinds[max(map(_least_regular, wanted), default=0)]
    return {"rotations": config.rotations, "transform_type": kind}


def rotated_sizes(config: Any) -> dict[str, int]:
    """Return how many numbers the rotations R1 and R2 turn in a model with this configuration."""
    text = config.get_text_config()
    found = {
        "R1": getattr(text, "hidden_size", None),
        "R2": getattr(text, "head_dim", None)
        or getattr(text, "hidden_size", 0) // getattr(text, "num_attention_heads", 1),
    }
    return {name: size for name, size in found.items() if size}


def _least_regular(size: int) -> int:
    """0: a power of two; 1: a matrix of Sloane's library times powers of two; 2: anything else."""
    twos = size & -size
    odd = size // twos
    return 0 if odd == 1 else 1 if twos >= 4 and 4 * odd <= LARGEST_HADAMARD else 2


def _exactly(name: str) -> str:
    return rf"re:^{re.escape(name)}$"


def config_groups(config: Quantizer, layers: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """Return compressed-tensors' groups of layers with one format each.

    The group is all linear layers where they share one format, else a list of names per format.
    """
    kinds = sorted(set(layers.values()))
    if len(kinds) == 1:
        return {"group_0": scheme_of(config, *kinds[0], ["Linear"])}
    names = {kind: [_exactly(name) for name, own in layers.items() if own == kind] for kind in kinds}
    return {f"group_{number}": scheme_of(config, *kind, names[kind]) for number, kind in enumerate(kinds)}


def scheme_of(config: Quantizer, bits: int, group: int, targets: list[str]) -> Any:
    """Return one group's format: a preset or integer weights, with the settings' group size and observers."""
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme, preset_name_to_scheme

    if config.format.preset:
        scheme = preset_name_to_scheme(config.format.preset, targets)
    else:
        integers = {"num_bits": bits, "type": "int", "symmetric": config.symmetric, "strategy": "channel"}
        scheme = QuantizationScheme(targets=targets, weights=QuantizationArgs(**integers))
    scheme.weights = QuantizationArgs(**{**scheme.weights.model_dump(), **_weight_changes(config, group)})
    if config.scheme == "w8a8_static":
        scheme.input_activations = QuantizationArgs(
            num_bits=8, type="int", symmetric=True, strategy="tensor", dynamic=False
        )
    activations = scheme.input_activations
    if activations is not None and config.activation_observer and activations.dynamic is not True:
        activations.observer = config.activation_observer
    return scheme


def _weight_changes(config: Quantizer, group: int) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if config.format.group == FREE:  # integer weights: the group size of the settings
        changes |= {
            "strategy": "group" if group > 0 else "channel",
            "group_size": group if group > 0 else None,
        }
    if config.observer:
        names = {"minmax": "memoryless_minmax", "mse": "memoryless_mse"}
        changes["observer"] = names.get(config.observer, config.observer)
    return changes


def kv_cache(config: Quantizer) -> Any:
    """Return the format of the cache: one scale per layer, measured on the calibration data."""
    from compressed_tensors.quantization import QuantizationArgs

    if not config.kv_cache:
        return None
    return QuantizationArgs(strategy="tensor", dynamic=False, symmetric=True, **KV[config.kv_cache])
