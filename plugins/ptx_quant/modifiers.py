"""llm-compressor's modifiers for a compressor's settings, and what has to be put right around them.

- GPTQ moves pruned weights away from zero: its block solve is replaced by one that knows the mask
  (:func:`mask_held`)
- AWQ pins memory where there is no accelerator to pin it for, and fails: on a CPU pinning is left out
- SpinQuant subtracts the mean from every embedding; only layer norms do not notice: before RMS norms it is
  left out
- AWQ, SmoothQuant and SpinQuant take no scheme: a modifier that rounds follows them
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from ptx import Problem, did_you_mean
from ptx.lm.load import quiet
from ptx.lm.progress import replaced
from ptx.lm.training.trl_args import fits, wanted
from ptx_quant.settings import AWQ, GPTQ, AutoRound, Mixed, Quantizer, SmoothQuant, SpinQuant, Transformed
from ptx_quant.solver import gptq_block

PRUNED = 0.05  # a dense layer has next to no exact zeros; from this share on they are a mask
#: arguments of the modifiers that settings of ptx decide
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
KV = {"fp8": {"type": "float", "num_bits": 8}, "int8": {"type": "int", "num_bits": 8}}


def main_type(config: Quantizer) -> Any:
    """The modifier that ``args`` are for."""
    from llmcompressor.modifiers.gptq import GPTQModifier
    from llmcompressor.modifiers.quantization import QuantizationModifier
    from llmcompressor.modifiers.transform import AWQModifier, SmoothQuantModifier, SpinQuantModifier

    if isinstance(config, AutoRound):
        from llmcompressor.modifiers.autoround import AutoRoundModifier

        return AutoRoundModifier
    types: dict[type, Any] = {
        AWQ: AWQModifier,
        SmoothQuant: SmoothQuantModifier,
        SpinQuant: SpinQuantModifier,
    }
    return types.get(type(config)) or (GPTQModifier if rounding(config) == "gptq" else QuantizationModifier)


def args_problems(config: Quantizer) -> list[Problem]:
    """What is wrong with ``args``; llm-compressor is imported only when there are any."""
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
    """What rounds the weights: rtn, gptq, autoround, or none."""
    return str(config.then) if isinstance(config, Transformed | Mixed) else config.rounding


def recipe(config: Quantizer, ignore: list[str], layers: Mapping[str, tuple[int, int]]) -> list[Any]:
    """The modifiers in order.

    Args:
        config: the compressor.
        ignore: patterns of the linear layers to leave alone.
        layers: name -> (bits, group size) of those to quantise.
    """
    from llmcompressor.modifiers.gptq import GPTQModifier
    from llmcompressor.modifiers.quantization import QuantizationModifier

    transform = (
        [main_type(config)(**_transform(config), **config.args)] if isinstance(config, Transformed) else []
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


def _transform(config: Transformed) -> dict[str, Any]:
    if isinstance(config, SmoothQuant):
        return {"smoothing_strength": config.strength}
    return {"rotations": config.rotations} if isinstance(config, SpinQuant) else {}


def config_groups(config: Quantizer, layers: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """compressed-tensors' groups of layers that share a format: all linear layers, or lists of names where
    they differ.
    """
    kinds = sorted(set(layers.values()))
    if len(kinds) == 1:
        return {"group_0": scheme_of(config, *kinds[0], ["Linear"])}
    names = {
        kind: [rf"re:^{re.escape(name)}$" for name, own in layers.items() if own == kind] for kind in kinds
    }
    return {f"group_{number}": scheme_of(config, *kind, names[kind]) for number, kind in enumerate(kinds)}


def scheme_of(config: Quantizer, bits: int, group: int, targets: list[str]) -> Any:
    """One group's format: the preset, or integer weights, with the group size and the observers of the
    settings.
    """
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme, preset_name_to_scheme

    preset = config.format.preset
    if preset:
        scheme = preset_name_to_scheme(preset, targets)
    else:
        scheme = QuantizationScheme(
            targets=targets,
            weights=QuantizationArgs(
                num_bits=bits, type="int", symmetric=config.symmetric, strategy="channel"
            ),
        )
    changes: dict[str, Any] = {}
    if config.format.group == -2:  # integer weights share a scale as the settings say
        changes = (
            {"strategy": "group", "group_size": group}
            if group > 0
            else {"strategy": "channel", "group_size": None}
        )
    if config.observer:
        changes["observer"] = {"minmax": "memoryless_minmax", "mse": "memoryless_mse"}.get(
            config.observer, config.observer
        )
    scheme.weights = QuantizationArgs(**{**scheme.weights.model_dump(), **changes})
    if config.scheme == "w8a8_static":
        scheme.input_activations = QuantizationArgs(
            num_bits=8, type="int", symmetric=True, strategy="tensor", dynamic=False
        )
    if (
        scheme.input_activations is not None
        and config.activation_observer
        and scheme.input_activations.dynamic is not True
    ):
        scheme.input_activations.observer = config.activation_observer
    return scheme


def kv_cache(config: Quantizer) -> Any:
    """The format of the cache: one scale per layer, measured on the calibration data."""
    from compressed_tensors.quantization import QuantizationArgs

    return (
        QuantizationArgs(strategy="tensor", dynamic=False, symmetric=True, **KV[config.kv_cache])
        if config.kv_cache
        else None
    )


@contextmanager
def put_right(config: Quantizer, network: Any) -> Iterator[None]:
    """While this is open, the faults named at the top are mended."""
    from llmcompressor.pipelines.cache import IntermediatesCache

    with ExitStack() as stack:
        if network.device.type == "cpu":
            stack.enter_context(replaced(IntermediatesCache, "pin_memory", lambda *_, **__: None))
        if isinstance(config, SpinQuant) and not any(
            getattr(module, "bias", None) is not None for module in norms(network)
        ):
            from llmcompressor.modifiers.transform.spinquant import base

            stack.enter_context(replaced(base, "center_embeddings", lambda _: None))
        if isinstance(config, AutoRound):
            importlib.import_module("auto_round.logger")  # sets the level that is set here
            logging.getLogger("autoround").setLevel(logging.ERROR)  # it warns of how llm-compressor calls it
        if rounding(config) == "gptq":
            stack.enter_context(mask_held())
        yield


def norms(network: Any) -> list[Any]:
    """The normalisations of a network: with a bias they are layer norms, which do not see the mean; without,
    RMS norms, which do.
    """
    return [module for name, module in network.named_modules() if "norm" in name.rpartition(".")[2]]


@contextmanager
def mask_held() -> Iterator[None]:
    """llm-compressor's GPTQ keeps exact zeros of pruned layers at zero inside the solve."""
    from llmcompressor.modifiers.gptq import gptq_quantize as library

    order, update = library.apply_activation_ordering, library.gptq_block_update
    masks: list[Tensor | None] = [None]

    def ordered(weights: Tensor, hessians: Tensor, actorder: Any) -> Any:
        found = order(weights, hessians, actorder)  # the columns in the order of the solve, (N, R, C)
        masks[0] = mask_of(found[0])
        return found

    # the library's names
    def updated(W1: Tensor, Hinv1: Tensor, Q1: Tensor, Err1: Tensor, losses1: Tensor, **options: Any) -> None:  # noqa: N803
        if masks[0] is None:
            update(W1, Hinv1, Q1, Err1, losses1, **options)
            return
        begin = options["i1"]
        pruned = masks[0][..., begin : begin + W1.shape[-1]]
        rounded, errors = gptq_block(W1, Hinv1, _nearest(W1, options), pruned)
        Q1.copy_(rounded)
        Err1.copy_(errors)
        losses1.copy_(errors.square())

    with (
        replaced(library, "apply_activation_ordering", ordered),
        replaced(library, "gptq_block_update", updated),
    ):
        yield


def mask_of(weights: Tensor) -> Tensor | None:
    """Exact zeros of the layers among ``weights`` (N, R, C) that were pruned; None when none was."""
    zeros = weights == 0
    pruned = zeros.flatten(1).float().mean(1) >= PRUNED
    return zeros & pruned[:, None, None] if bool(pruned.any()) else None


def _nearest(block: Tensor, options: dict[str, Any]) -> Any:
    """Rounds a column of the block (N, R, B) with the library's scales."""
    from copy import copy

    from compressed_tensors.quantization import QuantizationStrategy, fake_quantize
    from llmcompressor.modifiers.gptq.helpers import column_scale_window

    args = copy(options["quant_args"])
    args.strategy = QuantizationStrategy.CHANNEL
    place = {"num_rows": block.shape[-2], "i1": options["i1"], "i2": options["i1"] + block.shape[-1]}
    named = (options[name] for name in ("scale", "zero_point", "global_scale", "g_idx", "quant_args"))
    scale, zero = column_scale_window(*named, **place)

    def nearest(column: Tensor, i: int) -> Tensor:
        turned = (None if part is None else part[:, :, i].transpose(0, 1) for part in (scale, zero))
        return torch.as_tensor(fake_quantize(column.transpose(0, 1), *turned, args).transpose(0, 1))

    return nearest
