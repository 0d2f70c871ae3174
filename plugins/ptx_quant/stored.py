"""How many bytes a folder with layers of several bit widths will have, computed before a weight is rounded.

A budget in bytes is divided among the layers by these numbers.

A packed layer has at most four tensors (compressed-tensors, ``pack-quantized``): the integers, without gaps
in 32-bit words, row by row; a scale per group; the layer's shape; and, where the grid has zero points, these,
packed like the weights. In models of a few megabytes the rest matters too, so names in the headers of weight
files and in config.json are counted as well. Where a length is unknown (the digits of an offset), the longest
is assumed: the folder never has more bytes than computed here.
"""

from __future__ import annotations

import json
import math
import re

Stored = dict[str, tuple[str, list[int]]]  # name of a tensor -> type and shape, as safetensors writes them

BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
OFFSET = 10**11 - 1  # no file has more bytes, so offsets in headers have at most this number of digits
# bytes of config.json for a group of layers with one format, without the layers' names
GROUP_BYTES = 700
# bytes of quantization_config without its groups, of a weight file's fixed beginning, and of its padding
CONFIG_BYTES = 1200


def packed(rows: int, columns: int, bits: int, group: int, *, symmetric: bool, scale: str) -> Stored:
    """Return the tensors of a layer of ``rows`` outputs and ``columns`` inputs.

    ``group`` -1 is one scale per output; ``scale`` is the type of the scales.
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


def tensor_bytes(tensors: Stored) -> int:
    """Return the bytes of the tensors alone."""
    return sum(math.prod(shape) * BYTES[kind] for kind, shape in tensors.values())


def file_bytes(tensors: Stored) -> int:
    """Return the bytes of tensors in a weight file, with their entries in its header."""
    entries = {
        name: {"dtype": kind, "shape": shape, "data_offsets": [OFFSET, OFFSET]}
        for name, (kind, shape) in tensors.items()
    }
    return tensor_bytes(tensors) + len(json.dumps(entries, separators=(",", ":")))


def layer_bytes(
    name: str, shape: tuple[int, int], bits: int, group: int, *, symmetric: bool, scale: str
) -> int:
    """Return what a layer adds to the folder: its tensors, and its name in config.json."""
    tensors = packed(*shape, bits, group, symmetric=symmetric, scale=scale)
    pattern = json.dumps(rf"re:^{re.escape(name)}$")
    return (
        file_bytes({f"{name}.{part}": stored for part, stored in tensors.items()})
        + len(pattern)
        + len(",\n          ")
    )
