"""Faults of llm-compressor, and how they are corrected while it runs.

- GPTQ moves pruned weights away from zero, and on a CPU it reads columns that lie apart: its block solve is
  replaced by one that respects the mask and has columns in one piece (:func:`own_solve`)
- GPTQ sums up the same products of inputs for every layer that reads them: queries, keys and values share
  theirs, and so do the two halves of a feed-forward block (:func:`inputs_shared`)
- AWQ pins memory for an accelerator and fails where there is none: on a CPU nothing is pinned
- SpinQuant subtracts the mean from every embedding. Only layer norms are invariant to that: before RMS norms
  the subtraction is left out
- On a GPU weights are packed by a Triton kernel that divides by the scale in float32, while the model in
  memory is rounded in the weights' own dtype. In 16 bits some weights fall on another value, and
  what is saved is not what was in memory: both round as on a CPU (:func:`rounded_alike`)
- AutoRound computes in float32 on a processor without bfloat16 instructions, and the model's 16-bit layers
  then refuse its activations: torch computes bfloat16 on every processor, so AutoRound is told that it can
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ptx.lm.progress import replaced
from ptx_quant.modifiers import rounding
from ptx_quant.settings import AutoRound, Quantizer, SpinQuant
from ptx_quant.solver import gptq_block

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PRUNED = 0.05  # a dense layer has almost no exact zeros; from this share on they are a mask


@contextmanager
def library_fixed(config: Quantizer, network: PreTrainedModel) -> Iterator[None]:
    """While the context is open, the faults named at the top are corrected."""
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
            importlib.import_module("auto_round.logger")  # its import sets the level, so it must come first
            # auto_round warns about how llm-compressor calls it
            logging.getLogger("autoround").setLevel(logging.ERROR)
            from auto_round.utils.device_manager import CpuARDevice

            stack.enter_context(replaced(CpuARDevice, "supports_bf16", lambda _: True))
        if rounding(config) == "gptq":
            stack.enter_context(own_solve())
            stack.enter_context(inputs_shared())
        stack.enter_context(rounded_alike())
        yield


@contextmanager
def rounded_alike() -> Iterator[None]:
    """While the context is open, weights are packed with the arithmetic that the model in memory rounds with.

    The kernels of other functions, such as GPTQ's solve, stay in use.
    """
    from compressed_tensors.utils.impl_backend import ImplBackend

    backends = ImplBackend._backends  # noqa: SLF001 (the library's own switch turns off every kernel)
    kernels = backends.pop("_quantize", None)
    try:
        yield
    finally:
        if kernels is not None:
            backends["_quantize"] = kernels


def norms(network: nn.Module) -> list[nn.Module]:
    """Return the normalisations of a network.

    Those with a bias are layer norms, which do not depend on the mean; those without are RMS norms, which do.
    """
    return [module for name, module in network.named_modules() if "norm" in name.rpartition(".")[2]]


@contextmanager
def own_solve() -> Iterator[None]:
    """While the context is open, llm-compressor's GPTQ keeps the exact zeros of pruned layers.

    Without such zeros a GPU keeps the library's solve, which may be a kernel.
    """
    from llmcompressor.modifiers.gptq import gptq_quantize as library

    order, update = library.apply_activation_ordering, library.gptq_block_update
    masks: list[Tensor | None] = [None]

    def ordered(weights: Tensor, hessians: Tensor, actorder: Any) -> Any:
        found = order(weights, hessians, actorder)  # its first item: columns in the solve's order, (N, R, C)
        masks[0] = mask_of(found[0])
        return found

    # the names are the library's, which passes them as keywords
    def updated(
        W1: Tensor,  # noqa: N803
        Hinv1: Tensor,  # noqa: N803
        Q1: Tensor,  # noqa: N803
        Err1: Tensor,  # noqa: N803
        losses1: Tensor,
        **options: Any,
    ) -> None:
        if masks[0] is None and W1.device.type != "cpu":
            update(W1, Hinv1, Q1, Err1, losses1, **options)
            return
        begin = options["i1"]
        pruned = None if masks[0] is None else masks[0][..., begin : begin + W1.shape[-1]]
        rounded, errors = gptq_block(W1, Hinv1, _nearest(W1, options), pruned)
        Q1.copy_(rounded)
        Err1.copy_(errors)
        losses1.copy_(errors.square())

    with (
        replaced(library, "apply_activation_ordering", ordered),
        replaced(library, "gptq_block_update", updated),
    ):
        yield


@contextmanager
def inputs_shared() -> Iterator[None]:
    """While the context is open, layers that read the same tensor have their sum of products made once."""
    from llmcompressor.modifiers.gptq import base

    usual = base.accumulate_hessian
    last: list[tuple[Tensor, Tensor, Tensor]] = []  # a tensor, the sum it makes, the number of its rows

    def accumulated(inp: Tensor, module: nn.Module, hessian: Tensor, samples: Tensor) -> Any:
        if not isinstance(module, nn.Linear):
            return usual(inp, module, hessian, samples)
        if not last or last[0][0] is not inp:
            last.clear()
            made = usual(inp, module, torch.zeros_like(hessian), torch.zeros_like(samples))
            last.append((inp, *made))
        hessian += last[0][1]
        samples += last[0][2]
        return hessian, samples

    with replaced(base, "accumulate_hessian", accumulated):
        yield


def mask_of(weights: Tensor) -> Tensor | None:
    """Return the exact zeros of the pruned layers among ``weights`` (N, R, C); None: no layer is pruned."""
    zeros = weights == 0
    pruned = zeros.flatten(1).float().mean(1) >= PRUNED
    return zeros & pruned[:, None, None] if bool(pruned.any()) else None


def _nearest(block: Tensor, options: dict[str, Any]) -> Any:
    """Return a function that rounds a column of the block (N, R, B) with the library's scales."""
    from copy import copy

    from compressed_tensors.quantization import QuantizationStrategy, fake_quantize
    from llmcompressor.modifiers.gptq.helpers import column_scale_window

    args = copy(options["quant_args"])
    args.strategy = QuantizationStrategy.CHANNEL
    place = {"num_rows": block.shape[-2], "i1": options["i1"], "i2": options["i1"] + block.shape[-1]}
    named = (options[name] for name in ("scale", "zero_point", "global_scale", "g_idx", "quant_args"))
    scale, zero = (
        None if part is None else part.movedim(-1, 0).contiguous()  # (B, N, R)
        for part in column_scale_window(*named, **place)
    )

    def nearest(column: Tensor, i: int) -> Tensor:
        here = (None if part is None else part[i] for part in (scale, zero))
        return torch.as_tensor(fake_quantize(column, *here, args))

    return nearest
