"""The figures of a layer, before and after."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ptx.lm.compression.sparsity import has_pattern
from ptx.lm.quanto import dense as full
from ptx_checks.folders import Folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PRUNED = 0.05  # a dense layer has almost no exact zeros; from this share on they are a mask


@dataclass(frozen=True)
class Layer:
    """One linear layer before and after. Shares are of its weights."""

    name: str
    asked: bool  # not left out by ``skip``
    weights: int
    columns: int  # inputs
    zeros: float
    pattern: bool  # the promised n:m holds
    bits: float  # stored, weights alone
    bits_in_all: float  # with scales and zero points
    compared: bool  # the input had this layer, in this shape and unquantised
    changed: bool = True
    zeros_before: float = 0.0
    mask_kept: float = 1.0  # share of a mask's zeros that are still zero
    error: float = 0.0  # squared Frobenius norm of the change
    norm: float = 0.0  # squared Frobenius norm of the weight before


def inspect(
    network: PreTrainedModel, before: Folder | None, after: Folder, skip: tuple[str, ...], pattern: str
) -> list[Layer]:
    """Return the figures of every linear layer of the reloaded ``network``, without the output embedding."""
    head = network.get_output_embeddings()
    found = []
    for name, module in network.named_modules():
        weight = getattr(module, "weight", None)
        if (
            not isinstance(module, nn.Linear)
            or module is head
            or weight is None
            or weight.shape != (module.out_features, module.in_features)
        ):
            continue
        dense = full(weight.detach()).cpu()
        weights, everything = after.bits(name)
        figures = {
            "asked": not any(re.search(entry, name) for entry in skip),
            "weights": dense.numel(),
            "columns": dense.shape[1],
            "zeros": share(dense == 0),
            "pattern": not pattern or has_pattern(dense, pattern),
            "bits": weights / dense.numel(),
            "bits_in_all": everything / dense.numel(),
        }
        old = None if before is None else before.tensor(f"{name}.weight")
        found.append(Layer(name, **figures, **compared(old, dense)))  # type: ignore[arg-type]
    return found


def compared(old: Tensor | None, new: Tensor) -> dict[str, Any]:
    """Return how a weight (rows, columns) changed.

    The result says only ``compared: False`` where there was no such weight, or one of another shape.
    """
    if old is None or old.shape != new.shape:
        return {"compared": False}
    mask = old == 0
    masked = share(mask) >= PRUNED
    return {
        "compared": True,
        "changed": not torch.equal(old.to(new.dtype), new),
        "zeros_before": share(mask),
        "mask_kept": share(new[mask] == 0) if masked else 1.0,
        "error": float((new.float() - old.float()).square().sum()),
        "norm": float(old.float().square().sum()),
    }


def share(mask: Tensor) -> float:
    """Return the share of true values."""
    return float(mask.float().mean(dtype=torch.float64))
