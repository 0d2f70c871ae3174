"""How many bytes a folder of mixed widths will have, known before a weight is rounded: what a budget in bytes
is shared out by.

A packed layer is four tensors at most (compressed-tensors, ``pack-quantized``): the integers, without gaps in
32-bit words row by row; a scale per group; the layer's shape; and zero points, packed like the weights, where
the grid has some. On models of a few megabytes the rest counts too, so that is here as well: names in the
headers of weight files and in config.json. Where a length is not known before (the digits of an offset), the
longest is taken: the folder never has more bytes than are said here.
"""

from __future__ import annotations

import json
import math
import re

Stored = dict[str, tuple[str, list[int]]]  # name of a tensor -> type and shape, in safetensors' words

BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
OFFSET = 10**11 - 1  # no file has more bytes: offsets in headers have at most as many digits
FORMAT = 700  # bytes of config.json: what a group of layers with one format takes beside their names
# and what quantization_config takes beside its groups; the beginning of a weight file, and its padding
COMMON = 1200


def packed(rows: int, columns: int, bits: int, group: int, *, symmetric: bool, scale: str) -> Stored:
    """The tensors of a layer of ``rows`` outputs and ``columns`` inputs; ``group`` -1: one scale per output;
    ``scale``: its type.
    """
    groups = 1 if group == -1 else columns // group
    found: Stored = {
        "weight_packed": ("I32", [rows, math.ceil(columns * bits / 32)]),
        "weight_scale": (scale, [rows, groups]),
        "weight_shape": ("I64", [2]),
    }
    return (
        found if symmetric else {**found, "weight_zero_point": ("I32", [math.ceil(rows * bits / 32), groups])}
    )


def plain(tensors: Stored) -> int:
    """Bytes of the tensors alone."""
    return sum(math.prod(shape) * BYTES[kind] for kind, shape in tensors.values())


def in_file(tensors: Stored) -> int:
    """Bytes that tensors take in a weight file, with their entries in its header."""
    entries = {
        name: {"dtype": kind, "shape": shape, "data_offsets": [OFFSET, OFFSET]}
        for name, (kind, shape) in tensors.items()
    }
    return plain(tensors) + len(json.dumps(entries, separators=(",", ":")))


def layer_bytes(
    name: str, shape: tuple[int, int], bits: int, group: int, *, symmetric: bool, scale: str
) -> int:
    """What a layer adds to the folder: its tensors, and its name in config.json."""
    tensors = packed(*shape, bits, group, symmetric=symmetric, scale=scale)
    pattern = json.dumps(rf"re:^{re.escape(name)}$")
    return (
        in_file({f"{name}.{part}": stored for part, stored in tensors.items()})
        + len(pattern)
        + len(",\n          ")
    )
