"""Write a package from the builder's float32 package: matrices rounded in blocks, attention as the model has
it.

The builder converts a model once, unrounded; every try at rounding starts from that. A rounded product is
ONNX Runtime's MatMulNBits, a rounded look-up its GatherBlockQuantized; an embedding that is tied to the
output layer shares its integers. Steps are stored as float16 and cast when the package is opened.

MatMulNBits is fast with integer zero points only (1.31: float ones make it 50 times slower). A block's offset
that is no whole number of steps, ``free``, is added beside it: sum over blocks of (sum of the block's
inputs) * rest, a product with one row per block.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from numpy.typing import NDArray

from ptx.lm.serving.blocks import Blocks

FILE = "model.onnx"
CONTRIB = "com.microsoft"


@dataclass(frozen=True)
class Matrix:
    """A weight of the graph as (O, I), with the product or the look-up that use it, or both."""

    name: str  # of the product, else of the look-up
    weight: ir.Value
    transposed: bool  # stored as (I, O)
    product: ir.Node | None
    lookup: ir.Node | None

    def tensor(self) -> torch.Tensor:
        """The weight, float32 (O, I)."""
        value = self.weight.const_value
        assert value is not None
        found = torch.from_numpy(np.array(value.numpy(), dtype=np.float32))
        return found.T if self.transposed else found

    @property
    def shape(self) -> tuple[int, int]:
        """(O, I)."""
        assert self.weight.const_value is not None
        first, second = self.weight.const_value.numpy().shape
        return (second, first) if self.transposed else (first, second)


@dataclass
class Graph:
    """An opened package of the builder."""

    folder: Path
    model: ir.Model = field(init=False)

    def __post_init__(self) -> None:
        self.model = ir.load(self.folder / FILE)

    def matrices(self) -> list[Matrix]:
        """Every product by a weight and every look-up, in the order of the graph."""
        products = {
            node.inputs[1]: node
            for node in self.model.graph
            if node.op_type == "MatMul" and _stored(node.inputs[1])
        }
        lookups = {
            source: node
            for node in self.model.graph
            if node.op_type == "Gather" and "embed" in (node.name or "") and _stored(source := _behind(node))
        }
        found = [
            Matrix(_name(node), weight, True, node, lookups.pop(weight, None))
            for weight, node in products.items()
            if weight is not None
        ]
        return found + [
            Matrix(_name(node), weight, False, None, node) for weight, node in lookups.items() if weight
        ]

    def round(self, matrix: Matrix, found: Blocks, bits: int, *, middle: bool, accuracy: int) -> None:
        """Replace a matrix by its integers of ``bits`` bits."""
        _Rounding(self.model.graph, matrix, found, bits, middle, accuracy).write()

    def save(self, folder: Path) -> None:
        """Write the package to ``folder``, which must not exist, with the builder's other files."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns(f"{FILE}*"))
        used = {value for node in self.model.graph for value in node.inputs if value is not None}
        for name, value in list(self.model.graph.initializers.items()):
            if value not in used:
                del self.model.graph.initializers[name]
        self.model.graph.sort()
        ir.save(self.model, folder / FILE, external_data=f"{FILE}.data")


def _name(node: ir.Node) -> str:
    return str(node.name)


def _stored(value: ir.Value | None) -> bool:
    if value is None or not value.is_initializer() or value.const_value is None:
        return False
    return value.const_value.numpy().ndim == 2


def _behind(lookup: ir.Node) -> ir.Value | None:
    """The weight that a look-up reads; a tied one is the output layer's, transposed."""
    read = lookup.inputs[0]
    producer = read.producer() if read is not None else None
    return producer.inputs[0] if producer is not None and producer.op_type == "Transpose" else read


def pack(values: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Pack unsigned integers (..., C) into bytes (..., ceil(C * bits / 8)), the first in the low bits."""
    each = 8 // bits
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, -values.shape[-1] % each)])
    parts = padded.reshape(*padded.shape[:-1], -1, each) << (np.arange(each, dtype=np.uint8) * bits)
    packed: NDArray[np.uint8] = parts.sum(axis=-1, dtype=np.uint8)
    return packed


@dataclass
class _Rounding:
    """The nodes and tensors of one rounded matrix."""

    graph: ir.Graph
    matrix: Matrix
    found: Blocks
    bits: int
    middle: bool
    accuracy: int

    def write(self) -> None:
        """Put the integers and the nodes that read them in the place of the weight."""
        whole = self.found.zero.round().clamp(0, 2**self.bits - 1)
        packed = pack(self.found.q.numpy(), self.bits)
        shared = [self._tensor("integers", packed), self._half("steps", self.found.step.numpy())]
        if not (self.middle and self.matrix.lookup is None):
            shared.append(self._tensor("zeros", pack(whole.to(torch.uint8).numpy(), self.bits)))
        rest = self.found.step * (whole - self.found.zero)  # (O, G)
        if self.matrix.product is not None:
            product = self._product(self.matrix.product, shared)
            if bool((rest != 0).any()):
                product = self._with_rest(self.matrix.product, product, rest)
            self._replace(self.matrix.product, product)
        if self.matrix.lookup is not None:
            self._replace(self.matrix.lookup, self._lookup(self.matrix.lookup, shared))

    def _product(self, node: ir.Node, shared: list[ir.Value]) -> ir.Value:
        outputs, inputs = self.matrix.shape
        settings = {"K": inputs, "N": outputs, "accuracy_level": self.accuracy, **self._blocks()}
        return self._node(node, "MatMulNBits", [node.inputs[0], *shared], settings, CONTRIB)

    def _lookup(self, node: ir.Node, shared: list[ir.Value]) -> ir.Value:
        """Rows of integers become vectors; the padding of the last block is cut off again."""
        integers, *others = shared
        flat = self._node(node, "Reshape", [integers, self._integers("flat", [self.matrix.shape[0], -1])])
        settings = {"gather_axis": 0, "quantize_axis": 1, **self._blocks()}
        read = self._node(node, "GatherBlockQuantized", [flat, node.inputs[1], *others], settings, CONTRIB)
        inputs = self.matrix.shape[1]
        if inputs % self.found.q.shape[2] == 0:
            return read
        places = [self._integers(part, [at]) for part, at in (("from", 0), ("to", inputs), ("axis", -1))]
        return self._node(node, "Slice", [read, *places])

    def _with_rest(self, node: ir.Node, product: ir.Value, rest: torch.Tensor) -> ir.Value:
        groups, block = self.found.q.shape[1:]
        shape = self._integers("blocks", [0, 0, groups, block])
        cut = self._node(node, "Reshape", [node.inputs[0], shape])
        sums = self._node(node, "ReduceSum", [cut, self._integers("axis", [3])], {"keepdims": 0})
        added = self._node(node, "MatMul", [sums, self._half("rest", rest.T.numpy(), exact=False)])
        return self._node(node, "Add", [product, added])

    def _blocks(self) -> dict[str, int]:
        return {"bits": self.bits, "block_size": int(self.found.q.shape[2])}

    def _half(self, part: str, values: NDArray[np.float32], *, exact: bool = True) -> ir.Value:
        """Store as float16, and cast when the package is opened, where that loses nothing that matters."""
        halves = values.astype(np.float16)
        if exact and not np.array_equal(halves.astype(np.float32), values):
            return self._tensor(part, values)
        cast = ir.node("Cast", [self._tensor(part, halves)], {"to": ir.DataType.FLOAT.value})
        self.graph.insert_before(self._first(), cast)
        return cast.outputs[0]

    def _first(self) -> ir.Node:
        return next(iter(self.graph))

    def _integers(self, part: str, values: list[int]) -> ir.Value:
        return self._tensor(f"{part}{values}", np.array(values, dtype=np.int64))

    def _tensor(self, part: str, values: NDArray[Any]) -> ir.Value:
        name = f"{self.matrix.weight.name}.{part}"
        if name not in self.graph.initializers:
            tensor = ir.tensor(np.ascontiguousarray(values), name=name)
            value = ir.Value(
                name=name, const_value=tensor, shape=ir.Shape(values.shape), type=ir.TensorType(tensor.dtype)
            )
            self.graph.register_initializer(value)
        return self.graph.initializers[name]

    def _node(
        self,
        before: ir.Node,
        kind: str,
        inputs: list[ir.Value | None],
        settings: Mapping[str, int] | None = None,
        domain: str = "",
    ) -> ir.Value:
        made = ir.node(kind, inputs, dict(settings or {}), domain=domain, name=f"{before.name}/{kind}")
        self.graph.insert_before(before, made)
        return made.outputs[0]

    def _replace(self, node: ir.Node, value: ir.Value) -> None:
        behind = node.inputs[0].producer() if node.inputs[0] is not None else None
        (old,) = node.outputs
        value.type, value.shape = old.type, old.shape
        old.replace_all_uses_with(value, replace_graph_outputs=True)
        self.graph.remove(node, safe=True)
        if behind is not None and behind.op_type == "Transpose" and not behind.outputs[0].uses():
            self.graph.remove(behind, safe=True)
        value.name = old.name
