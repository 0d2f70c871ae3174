"""The figures of a layer, before and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ptx.lm.compression.sparsity import has_pattern
from ptx.lm.matrices import EXPERTS, Matrix, changeable
from ptx.lm.quanto import dense as full
from ptx.lm.stored_names import stored_parts, stored_tensor
from ptx_checks.folders import Folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PRUNED = 0.05  # a dense layer has almost no exact zeros; from this share on they are a mask


@dataclass(frozen=True)
class Layer:
    """A linear layer, or the experts of a layer together, before and after. Shares are of its weights.

    Experts of which ``skip`` leaves out a part are listed twice: what was asked for, and what was not.
    """

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
    experts: bool = False
    stored: tuple[str, ...] = ()  # the tensors that hold it, in the files before and after


def inspect(
    network: PreTrainedModel, before: Folder | None, after: Folder, skip: tuple[str, ...], pattern: str
) -> list[Layer]:
    """Return the figures of every weight matrix of the reloaded ``network`` that compressors may change."""
    found = []
    for matrix in changeable(network).values():
        weight = full(matrix.weight.detach()).cpu()
        bits = map(sum, zip(*(after.bits(part) for part in parts_of(matrix, after)), strict=True))
        weights, everything = (one / weight.numel() for one in bits)
        stored = tuple(tensors_of(matrix, [folder for folder in (before, after) if folder]))
        old = None if before is None else stored_tensor(matrix, before.types, before.tensor)
        same = old if old is not None and old.shape == weight.shape else None
        for part, asked in zip(matrix.split(skip), (True, False), strict=True):
            if part is None:
                continue
            rows = part.meant(weight)
            figures = {
                "asked": asked,
                "weights": rows.numel(),
                "columns": rows.shape[1],
                "zeros": share(rows == 0),
                "pattern": not pattern or has_pattern(rows, pattern),
                "bits": weights,
                "bits_in_all": everything,
                "experts": matrix.role == EXPERTS,
                "stored": stored,
            }
            name = matrix.name if asked or part.chosen is None else f"{matrix.name} (left out)"
            change = compared(None if same is None else part.meant(same), rows)
            found.append(Layer(name, **figures, **change))  # type: ignore[arg-type]
    return found


def parts_of(matrix: Matrix, folder: Folder) -> list[str]:
    """Return the names under which a folder stores the matrix, without the tensors' own endings."""
    parts = [part for expert in stored_parts(matrix, folder.types) for part in expert]
    if not parts and matrix.saved and any(name.startswith(stem(matrix.saved)) for name in folder.types):
        return [stem(matrix.saved)]
    return parts or [matrix.name]


def stem(tensor: str) -> str:
    """Return the name of a layer's tensor without its ending."""
    return tensor.removesuffix(".weight")


def tensors_of(matrix: Matrix, folders: list[Folder]) -> Iterator[str]:
    """Yield the names of the dense tensors that hold the matrix."""
    yield matrix.parameter
    if matrix.saved:
        yield matrix.saved
    for folder in folders:
        yield from (f"{part}.weight" for expert in stored_parts(matrix, folder.types) for part in expert)


def zeros_in_all(network: PreTrainedModel) -> float:
    """Return the share of zeros in all weights of a network, embeddings and norms included."""
    weights = [full(weight.detach()) for weight in network.parameters()]
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    return float(zeros / sum(weight.numel() for weight in weights))


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
