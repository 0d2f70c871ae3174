"""A layer before and after, in figures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ptx.lm.compression.sparsity import has_pattern
from ptx.lm.quanto import dense as full
from ptx_checks.folders import Folder

PRUNED = 0.05  # a dense layer has next to no exact zeros; from this share on they are a mask


@dataclass(frozen=True)
class Layer:
    """One linear layer: what there was, what there is. Shares are of its weights."""

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
    mask_kept: float = 1.0  # of the zeros that were a mask, those that still are
    error: float = 0.0  # squared Frobenius norm of the change
    norm: float = 0.0  # and of what was


def inspect(
    network: Any, before: Folder | None, after: Folder, skip: tuple[str, ...], pattern: str
) -> list[Layer]:
    """Every linear layer of the reloaded ``network``, but for the output embedding."""
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
        found.append(
            Layer(
                name,
                **figures,
                **compared(None if before is None else before.tensor(f"{name}.weight"), dense),
            )
        )  # type: ignore[arg-type]
    return found


def compared(old: Tensor | None, new: Tensor) -> dict[str, Any]:
    """What became of a weight, (rows, columns); nothing where it was not there, or of another shape."""
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
    """Share of what is true."""
    return float(mask.float().mean(dtype=torch.float64))
