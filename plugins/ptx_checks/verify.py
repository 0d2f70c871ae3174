"""The post-conditions: all are checked, and all that fail are reported together, with the figures."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ptx import Compressor, DataSet, ModelRef, Promise, Run, StepError
from ptx.lm.compression.network import stored_dtype
from ptx.lm.dtypes import coarsest_dtype
from ptx.lm.load import dtype_of, is_adapter, load_model, stored_bytes, weights_of
from ptx.lm.progress import compressed_tensors_bars
from ptx.lm.quanto import is_packed
from ptx.lm.weights import open_weights
from ptx.machine import release_memory
from ptx.models.inspection import inspect as facts_of
from ptx_checks.effect import effect, figures_of, judge, rows_for
from ptx_checks.folders import FLOATS, Folder
from ptx_checks.layers import PRUNED, Layer, inspect, zeros_in_all
from ptx_checks.memory import log_probabilities

#: largest KL divergence (nats, over the positions of the probe) between the model in memory and the one on
#: disk, by dtype
PARITY = {"float32": 1e-4, "float16": 5e-3, "bfloat16": 2e-2}
# share of all weights: solvers round per block of columns, or down to whole columns of each row
SPARSITY_TOLERANCE = 0.01
MASK_TOLERANCE = 1e-3
BITS_TOLERANCE = 1.5  # times the promised bits: packed words have gaps; twice the bits are another format


def verify(
    run: Run,
    compressor: Compressor,
    model: ModelRef,
    made: ModelRef,
    memory: Tensor | None,
    data: DataSet | None = None,
) -> None:
    """Check the result of a compressor; log the figures.

    Args:
        run: the current step.
        compressor: what made the result; it promises something.
        model: the input.
        made: the result.
        memory: log-probabilities of the model when it was saved; None when it was saved by other means than
            ``save_pretrained``.
        data: the text on which input and result are compared.

    Raises:
        StepError: conditions that do not hold, with the figures.
    """
    promise = compressor.promise()
    figures = {"bytes": float(made.bytes), "bytes_before": float(model.bytes)}
    if made.kind != "full":
        run.say(f"not read back: the result is of the kind {made.kind}, for which there are no checks")
        run.log(figures, 1, 1)
        return
    with compressed_tensors_bars():  # weights are unpacked while loading, or in the first forward
        network = reload(made, run.device)
        disk = log_probabilities(network)
    before = None if is_adapter(model.path) or facts_of(model.path).quantized else Folder(model.path)
    after = Folder(made.path)
    layers = inspect(network, before, after, promise.skip, promise.pattern)
    zeros = zeros_in_all(network)
    moved = (
        None
        if facts_of(weights_of(model.path)).quantized
        else effect(run, model, network, rows_for(run, model, data))
    )
    del network  # the checks below read tensors from the files, two at a time
    release_memory()
    figures |= measured(layers) | {"zeros_in_all": zeros} | parity(memory, disk)
    figures |= figures_of(moved) if moved else {}
    run.event("checked", **figures, per_layer=[dataclasses.asdict(layer) for layer in layers])
    run.log(figures, 1, 1)
    problems = [
        *_output_problems(memory, disk, made),
        *_file_problems(promise, model, before, after, layers),
        *_layer_problems(promise, layers),
        *_size_problems(promise, model, made),
    ]
    if problems:
        raise StepError("the result is not what was promised: " + "; ".join(problems))
    if moved:
        judge(run, compressor, moved, model)
    run.say(summary(figures, layers, memory is not None))


def reload(made: ModelRef, device: str) -> Any:
    """Load the model as any user would. What optimum-quanto packed is loaded as ptx does.

    Raises:
        StepError: it cannot be loaded, or not all of it; the folder is called "the result", because its path
            is one that is gone when the message is read.
    """
    from transformers import AutoModelForCausalLM

    try:
        if is_packed(made.path):
            return load_model(made, device=device).eval()
        dtype = dtype_of(stored_dtype(made), device)
        network = open_weights(AutoModelForCausalLM, made.path, "the result", dtype=dtype)
    except (OSError, ValueError, StepError) as error:
        said = str(error).replace(str(made.path), "the result")
        if isinstance(error, StepError):
            raise StepError(said) from error
        raise StepError(
            f"the result cannot be loaded by from_pretrained: {type(error).__name__}: {said}"
        ) from error
    if facts_of(made.path).quantized:
        # packed tensors of a mapped file would stay in memory beside the unpacked ones
        for tensor in (*network.parameters(), *network.buffers()):
            tensor.data = tensor.data.clone()
    return network.to(device).eval()


def parity(memory: Tensor | None, disk: Tensor) -> dict[str, float]:
    """Return the largest KL and the largest gap, in nats, between the model in memory and the one on disk.

    Both arguments are (B, T, V) log-probabilities. The result is empty where they cannot be compared.
    """
    if (
        memory is None
        or memory.shape != disk.shape
        or not bool(torch.isfinite(memory).all() and torch.isfinite(disk).all())
    ):
        return {}
    divergence = (memory.exp() * (memory - disk)).sum(-1)
    likely = memory > math.log(1e-6)
    return {
        "reload_kl": max(float(divergence.max()), 0.0),
        "reload_gap": float((memory - disk)[likely].abs().max()),
    }


def measured(layers: list[Layer]) -> dict[str, float]:
    """Return the figures of all layers together."""
    asked = [layer for layer in layers if layer.asked]
    if not asked:
        return {"layers": 0.0}
    masked = [layer for layer in asked if layer.zeros_before >= PRUNED]
    kept = (
        {"mask_kept": _mean([(layer.mask_kept, layer.weights * layer.zeros_before) for layer in masked])}
        if masked
        else {}
    )
    norm = sum(layer.norm for layer in asked)
    return {
        "layers": float(len(asked)),
        "layers_changed": float(sum(layer.changed for layer in asked)),
        "zeros": _mean([(layer.zeros, layer.weights) for layer in asked]),
        "zeros_before": _mean([(layer.zeros_before, layer.weights) for layer in asked]),
        "bits_per_weight": _mean([(layer.bits_in_all, layer.weights) for layer in asked]),
        "relative_weight_error": math.sqrt(sum(layer.error for layer in asked) / norm) if norm else 0.0,
        **kept,
    }


def _mean(pairs: list[tuple[float, float]]) -> float:
    total = sum(weight for _, weight in pairs)
    return sum(value * weight for value, weight in pairs) / total if total else 0.0


def _output_problems(memory: Tensor | None, disk: Tensor, made: ModelRef) -> Iterator[str]:
    """Check that the outputs are finite and the same as in memory."""
    if not bool(torch.isfinite(disk).all()):
        yield "its outputs are not finite after reloading"
        return
    if memory is None:
        return
    if memory.shape != disk.shape:
        yield (
            f"in memory its logits were of shape {tuple(memory.shape)}, reloaded they are {tuple(disk.shape)}"
        )
        return
    found, limit = parity(memory, disk), PARITY.get(coarsest_dtype(made.path), PARITY["float32"])
    if not found["reload_kl"] <= limit:
        yield (
            "the saved model is not the one that was in memory: their predictions differ by"
            f" {found['reload_kl']:.3g} nats of KL (at most {limit:g} for {coarsest_dtype(made.path)}),"
            f" {found['reload_gap']:.3g} nats at the worst token"
        )


def _file_problems(
    promise: Promise, model: ModelRef, before: Folder | None, after: Folder, layers: list[Layer]
) -> Iterator[str]:
    """Check the files: dtype kept, something changed, nothing else changed."""
    if before is None:
        return
    asked = {tensor for layer in layers if layer.asked for tensor in layer.stored}
    shared = [name for name in before.types if name in after.types and name not in asked]
    for name in shared:
        wanted = promise.dtype or FLOATS.get(before.types[name], "")
        if before.types[name] in FLOATS and FLOATS.get(after.types[name]) != wanted:
            yield (
                f"{name} was {FLOATS[before.types[name]]} and is now stored as {after.types[name]}, not"
                f" {wanted}"
            )
            break
    if promise.nothing_else and not promise.dtype:
        changed = [name for name in shared if not _same(before, after, name)]
        if changed:
            yield f"{len(changed)} tensors were to stay as they were and changed, first {changed[0]}"
    compared = [layer for layer in layers if layer.compared]
    idle = before.shapes == after.shapes and compared and not any(layer.changed for layer in compared)
    if idle and all(_same(before, after, name) for name in shared):
        yield f"nothing was changed: all {len(before.types)} tensors are those of {model.path.name}"


def _same(before: Folder, after: Folder, name: str) -> bool:
    old, new = before.tensor(name), after.tensor(name)
    return old is not None and new is not None and torch.equal(old, new)


def _layer_problems(promise: Promise, layers: list[Layer]) -> Iterator[str]:
    asked = [layer for layer in layers if layer.asked]
    compared = [layer for layer in layers if layer.compared]
    if (promise.every_layer or promise.bits or promise.sparsity) and not asked:
        yield f"no linear layer was compressed: skip={list(promise.skip)} leaves out all {len(layers)}"
        return
    untouched = [layer.name for layer in compared if layer.asked and not layer.changed]
    if promise.every_layer and untouched:
        yield f"{len(untouched)} of {len(asked)} layers were not touched, first {untouched[0]}"
    touched = [layer.name for layer in compared if not layer.asked and layer.changed]
    if touched:
        yield f"{len(touched)} layers were to be left alone and changed, first {touched[0]}"
    yield from _zero_problems(promise, asked)
    if promise.bits is not None:
        heavy = [layer for layer in asked if layer.bits > promise.bits * BITS_TOLERANCE]
        if heavy:
            yield (
                f"{len(heavy)} of {len(asked)} layers are stored in {heavy[0].bits:.3g} bits per weight, not"
                f" {promise.bits:g}, first {heavy[0].name}"
            )


def _size_problems(promise: Promise, model: ModelRef, made: ModelRef) -> Iterator[str]:
    """Check that the folder on disk is within its budget."""
    before = stored_bytes(model.path)
    if promise.max_bytes is not None and made.bytes > promise.max_bytes:
        yield f"at most {promise.max_bytes:,} bytes were asked for, and the folder has {made.bytes:,}"
    if promise.size is not None and made.bytes > promise.size * before:
        yield (
            f"a size of {promise.size:g} was asked for, and the folder has {made.bytes:,} of {before:,} bytes"
            f" ({made.bytes / before:.4f})"
        )


def _zero_problems(promise: Promise, asked: list[Layer]) -> Iterator[str]:
    """Check the zeros that were promised, and the zeros that had to stay."""
    figures = measured(asked)
    tolerance = max(SPARSITY_TOLERANCE, _mean([(1 / layer.columns, layer.weights) for layer in asked]))
    if promise.sparsity is not None and figures["zeros"] < promise.sparsity - tolerance:
        least = min(asked, key=lambda layer: layer.zeros)
        yield (
            f"a sparsity of {promise.sparsity:g} was asked for and {figures['zeros']:.4f} reached, least in"
            f" {least.name} ({least.zeros:.4f})"
        )
    broken = [layer.name for layer in asked if not layer.pattern]
    if broken:
        yield f"{promise.pattern} does not hold in {len(broken)} of {len(asked)} layers, first {broken[0]}"
    if promise.keeps_zeros and figures.get("mask_kept", 1.0) < 1 - MASK_TOLERANCE:
        worst = min(asked, key=lambda layer: layer.mask_kept)
        yield (
            f"only {figures['mask_kept']:.1%} of the weights that were pruned before stayed zero"
            f" ({figures['zeros_before']:.1%} of all were, {figures['zeros']:.1%} are now), least in"
            f" {worst.name} ({worst.mask_kept:.1%})"
        )


def summary(figures: dict[str, float], layers: list[Layer], remembered: bool) -> str:
    """Return a line for the user."""
    same = (
        f"is what was in memory (KL {figures.get('reload_kl', 0):.1g})"
        if remembered
        else "was saved by other means than save_pretrained: compared with nothing"
    )
    changed = (
        f"{figures.get('layers_changed', 0):.0f} of {_named(layers)} changed"
        if any(layer.compared for layer in layers)
        else ""
    )
    zeros = (
        f"{figures['zeros']:.1%} zeros ({figures['zeros_in_all']:.1%} of all weights)"
        if figures.get("zeros", 0.0) >= PRUNED and "mask_kept" not in figures
        else ""
    )
    mask = f"{figures['mask_kept']:.1%} of the pruned weights still zero" if "mask_kept" in figures else ""
    bits = f"{figures['bits_per_weight']:.3g} bits per weight" if "bits_per_weight" in figures else ""
    moved = f"KL to its input {figures['kl_to_input']:.2g}" if "kl_to_input" in figures else ""
    size = f"{figures['bytes_before'] / 1e6:.3g} -> {figures['bytes'] / 1e6:.3g} MB"
    return "checked: read back, " + ", ".join(
        part for part in (same, moved, changed, zeros, mask, bits, size) if part
    )


def _named(layers: list[Layer]) -> str:
    """Return ``21 linear layers``, or ``18 weight matrices (12 linear layers, 6 stacks of experts)``."""
    experts = sum(layer.experts for layer in layers)
    linear = f"{len(layers) - experts} linear layers"
    stacks = "parts of stacks" if any("(" in layer.name for layer in layers) else "stacks"
    return f"{len(layers)} weight matrices ({linear}, {experts} {stacks} of experts)" if experts else linear
