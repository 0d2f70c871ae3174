"""The ways to round a model to a package that passes, in the order of their bytes.

First what was asked for. If that is too far from the model, every matrix gets a format of its own: 4 bits, 4
bits with an offset for each block, 4 bits in smaller blocks, or 8 bits. What each would cost is predicted
from one backward pass (:mod:`ptx.lm.serving.sensitivity`), and the formats are chosen by nats per byte. The
last way is 8 bits everywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ptx.lm.serving.blocks import Blocks, to_blocks
from ptx.lm.serving.mixed import Menu, Price
from ptx.lm.serving.reference import Reference
from ptx.lm.serving.sensitivity import priced
from ptx_onnx import Onnx
from ptx_onnx.graph import Matrix

EIGHTH = 8
ROOM = 2_000_000_000  # bytes of integers that are kept
LAYER = re.compile(r"layers\.(\d+)[./]")
#: products of the graph that hold several layers of the model, in their order
FUSED = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}


@dataclass(frozen=True)
class Format:
    """How a matrix is stored: ``bits`` per weight, ``size`` inputs per block, ``zero`` as of the blocks."""

    bits: int
    size: int
    zero: str = "integer"

    def __str__(self) -> str:
        free = " with offsets" if self.zero == "free" else ""
        return f"{self.bits} bits{free} in blocks of {self.size}"

    def bytes(self, outputs: int, inputs: int) -> float:
        """Bytes of a matrix, with steps in float16."""
        groups = math.ceil(inputs / self.size)
        zeros = 0 if self.zero == "middle" else math.ceil(groups * self.bits / 8)
        rest = 2 * groups if self.zero == "free" else 0
        return outputs * (groups * (self.size * self.bits / 8 + 2) + zeros + rest)


FORMATS: Mapping[str, Format] = {
    str(one): one
    for one in (
        *(Format(4, size, zero) for size in (16, 32, 64, 128, 256) for zero in ("integer", "middle", "free")),
        *(Format(8, size, zero) for size in (16, 32, 64, 128, 256) for zero in ("integer", "middle")),
    )
}
Plan = Mapping[str, str]  # by matrix: a key of FORMATS; a matrix without one stays float32


def asked(config: Onnx, matrices: list[Matrix]) -> dict[str, str]:
    """The format of each matrix in ``config``, without a search."""
    layers = 1 + max((layer_of(matrix.name) for matrix in matrices), default=0)
    return {
        matrix.name: str(found)
        for matrix in matrices
        if (found := _asked(config, matrix, layers)) is not None
    }


def _asked(config: Onnx, matrix: Matrix, layers: int) -> Format | None:
    if config.precision == "fp32" or (config.head == "fp32" and layer_of(matrix.name) < 0):
        return None
    bits = 4 if config.precision == "int4" else 8
    if matrix.name == "/lm_head/MatMul" and config.head != "auto":
        bits = int(config.head.removeprefix("int"))
    if config.mixed and is_sensitive(matrix.name, layers):
        bits = 8
    zero = "middle" if config.symmetric and matrix.lookup is None else "integer"
    return Format(bits, config.block_size, zero)


def layer_of(name: str) -> int:
    """The number of the layer that a node belongs to; -1 for the embedding and the output layer."""
    found = LAYER.search(name)
    return int(found[1]) if found else -1


def is_sensitive(name: str, layers: int) -> bool:
    """Whether llama.cpp's rule gives a product more bits.

    These are the values and the last products of the first and last eighth of the layers, and of every third
    layer between.
    """
    layer, kind = layer_of(name), name.split("/")[-2]
    chosen = (
        layer < layers / EIGHTH
        or layer >= layers - layers / EIGHTH
        or (layer - round(layers / EIGHTH)) % 3 == 2
    )
    return layer >= 0 and chosen and kind in ("qkv_proj", "v_proj", "down_proj")


def all_in(matrices: list[Matrix], bits: int, size: int) -> dict[str, str]:
    """Every matrix in one format."""
    return {matrix.name: str(Format(bits, size)) for matrix in matrices}


@dataclass(frozen=True)
class Way:
    """A plan, the KL in nats per token that it is predicted to cost, and the graph that it changes.

    ``accuracy`` 0 is the accuracy level of the config.
    """

    name: str
    plan: Plan
    expected: float = math.nan
    graph: str = "dense"
    accuracy: int = 0


class Rounder:
    """Rounds the matrices of one graph, and keeps their integers: what was priced is written later."""

    def __init__(self, config: Onnx) -> None:
        self.config, self.room = config, ROOM
        self.kept: dict[tuple[str, str], Blocks] = {}

    def __call__(self, matrix: Matrix, form: str) -> Blocks:
        """The integers of a matrix."""
        if (matrix.name, form) in self.kept:
            return self.kept[matrix.name, form]
        found = rounded(matrix.tensor(), FORMATS[form], self.config)
        if found.q.numel() <= self.room:
            self.room -= found.q.numel()
            self.kept[matrix.name, form] = found
        return found

    def rows(self, matrix: Matrix, form: str, start: int, stop: int) -> Tensor:
        """The weights that some rows of a matrix stand for."""
        whole = self(matrix, form)
        return Blocks(
            whole.q[start:stop], whole.step[start:stop], whole.zero[start:stop], whole.inputs
        ).values()


def menu_of(matrix: Matrix, config: Onnx) -> list[Format]:
    """The formats that are considered for a matrix."""
    size = config.block_size
    whole = [Format(4, size), Format(8, max(size, 64))]
    if matrix.lookup is not None:
        return whole
    free = [Format(4, size, "free")] if matrix.shape[1] % size == 0 else []
    return [*whole, *free, *([Format(4, size // 2)] if size > 16 else [])]


def prices(reference: Reference, matrices: list[Matrix], config: Onnx, rounder: Rounder) -> Menu:
    """What each format of each matrix costs in bytes and in nats.

    A product whose layer in the model is not found cannot be predicted: it gets 8 bits.
    """
    names = [name for name, _ in reference.network.named_modules()]
    layers = {one.name: layers_behind(one, names) for one in matrices}
    formats = {
        one.name: {str(form): form.bytes(*one.shape) for form in menu_of(one, config)} for one in matrices
    }
    known = {name: found for name, found in layers.items() if found}
    places = {
        layer: place
        for one in matrices
        for layer, place in places_of(one, layers[one.name], reference.network).items()
    }

    def value(layer: str, form: str, weight: Tensor) -> Tensor:
        if layer in places:
            matrix, start, stop = places[layer]
            return rounder.rows(matrix, form, start, stop)
        return rounded(weight, FORMATS[form], config).values()

    menu = priced(reference.network, reference.further_texts(), known, formats, value)
    safe = str(Format(8, max(config.block_size, 64)))
    return {name: menu.get(name, [Price(safe, form[safe], 0.0)]) for name, form in formats.items()}


def places_of(matrix: Matrix, layers: list[str], network: nn.Module) -> dict[str, tuple[Matrix, int, int]]:
    """The rows of a matrix that are a layer's weight, for each of ``layers`` where they are equal."""
    found, start, whole = {}, 0, matrix.tensor()
    for layer in layers:
        weight = network.get_submodule(layer).weight
        begin = 0 if weight.shape == whole.shape else start  # a tied embedding is the whole matrix, again
        start = begin + len(weight)
        if torch.equal(whole[begin:start], weight.detach().float()):
            found[layer] = (matrix, begin, start)
    return found


def rounded(weight: Tensor, form: Format, config: Onnx) -> Blocks:
    """The integers of a weight (O, I)."""
    return to_blocks(weight, form.bits, form.size, form.zero, search=config.algorithm == "k_quant")


def layers_behind(matrix: Matrix, names: list[str]) -> list[str]:
    """The model's layers whose weights are in a matrix of the graph."""
    kind = matrix.name.split("/")[-2]
    wanted = FUSED.get(kind, (kind,))
    if matrix.product is not None and matrix.lookup is not None:
        wanted = ("lm_head", "embed_tokens")
    layer = f"layers.{layer_of(matrix.name)}." if layer_of(matrix.name) >= 0 else ""
    return [name for name in names if layer in name and name.rpartition(".")[2] in wanted]
