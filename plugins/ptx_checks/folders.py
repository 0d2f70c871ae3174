"""Tensors of a model folder, read one at a time.

Two folders of any size are compared in the memory of their largest tensor.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from ptx.lm.quanto import flat_name
from ptx.models.inspection import tensors_of, weight_files

BITS = {"F64": 64, "I64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16, "BOOL": 8}
PACKED = ("weight_packed", "qweight", "weight_data", "weight_data_data")
FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


class Folder:
    """The stored tensors of a model folder, by name."""

    def __init__(self, path: Path) -> None:
        self.types: dict[str, str] = {}
        self.shapes: dict[str, list[int]] = {}
        self._files: dict[str, Path] = {}
        for file in weight_files(path):
            for name, dtype, shape in tensors_of(file):
                self.types[name], self.shapes[name], self._files[name] = dtype, shape, file

    def tensor(self, name: str) -> Tensor | None:
        """Read one tensor; None where no tensor has this name."""
        if name not in self._files:
            return None
        with safe_open(self._files[name], "pt") as file:
            return torch.as_tensor(file.get_tensor(name))

    def bits(self, layer: str) -> tuple[float, float]:
        """Return the stored bits of a layer: of its weights alone, and of all its tensors.

        All its tensors are the weights, the scales, the zero points and whatever else has its name, without
        the bias.
        """
        found = {
            name: math.prod(self.shapes[name]) * BITS.get(self.types[name], 8) for name in self._of(layer)
        }
        weights = [
            bits
            for name, bits in found.items()
            if name == layer
            or flat_name(name).rpartition(".")[2] in ("weight", "weight_packed", "weight_data", "qweight")
        ]
        return float(sum(weights)), float(sum(found.values()))

    def _of(self, layer: str) -> list[str]:
        return [
            name
            for name in self.types
            if name == layer or (flat_name(name).rpartition(".")[0] == layer and not name.endswith(".bias"))
        ]
