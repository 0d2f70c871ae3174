"""Convert the packed weights of a compressed-tensors checkpoint, exactly, to Olive's format.

The builder reads that format. Both say w = scale * (q - zero) with one scale and zero per group of
neighbouring inputs; only the packing differs:

=======  ==================================================  ===============================================
         compressed-tensors, pack-quantized                  Olive, and ONNX Runtime's MatMulNBits
=======  ==================================================  ===============================================
weights  q + 2^(b-1) as b bits, dense over int32 words       unsigned, 8 / b values a byte, low bits first
zeros    packed the same, along outputs; none if symmetric   unsigned, packed along the groups
groups   any size, or one per output channel                 a power of two, at least 16
widths   1 to 8 bits                                         2, 4 or 8 bits
=======  ==================================================  ===============================================

So 3 bits are stored in 4, and 5 to 7 bits in 8 (the same integers in a wider field). A group is cut into
blocks that repeat its scale. Nothing is rounded.
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ptx import StepError
from ptx.files import read_json, write_json
from ptx.lm.serving.dense import quantization_of
from ptx.models.inspection import TOKENIZERS, tensors_of, weight_files

LEAST_BLOCK, LARGEST_BLOCK = 16, 256
PACKED = ".weight_packed"
DECODER = re.compile(r"\.layers\.\d+\..*_proj\.weight$")  # a linear layer of the decoder that is not packed
COPIED = (
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    *TOKENIZERS,
    "merges.txt",
)


@dataclass(frozen=True)
class Grid:
    """A layer's stored integers: ``q`` (O, I) and ``zero`` (O, G), signed; ``scale`` (O, G)."""

    q: Tensor
    scale: Tensor
    zero: Tensor
    bits: int


def reason_against(folder: Path, precision: str) -> str:
    """Return why the packed weights in ``folder`` cannot be kept; empty when they can."""
    config = quantization_of(folder)
    if config.get("quant_method") != "compressed-tensors":
        return f"its format is {config.get('quant_method', 'dense')}, not compressed-tensors"
    groups = [
        reason
        for group in config.get("config_groups", {}).values()
        for reason in _against_group(group, config, precision)
    ]
    return next((reason for reason in (*groups, *_against_tensors(folder))), "")


def _against_group(group: dict[str, Any], config: dict[str, Any], precision: str) -> Iterator[str]:
    weights, form = group.get("weights") or {}, group.get("format") or config.get("format")
    if form != "pack-quantized" or weights.get("type") != "int":
        yield f"its weights are {form} {weights.get('type')}, not packed integers"
        return
    if group.get("input_activations"):
        yield "it rounds activations too"
    if weights.get("actorder") == "group":
        yield "its groups do not lie side by side (actorder=group)"
    if {"int4": 4, "int8": 8}.get(precision, 0) < stored_bits(weights["num_bits"]):
        yield f"its {weights['num_bits']} bits do not fit into {precision}"
    if (weights.get("group_size") or 0) > 0 and weights["group_size"] % LEAST_BLOCK:
        yield f"its groups of {weights['group_size']} weights are no blocks of {LEAST_BLOCK}"


def _against_tensors(folder: Path) -> Iterator[str]:
    names = [name for file in weight_files(folder) for name, _, _ in tensors_of(file)]
    for name in names:
        if DECODER.search(name):
            yield f"{name.removesuffix('.weight')} is not packed, and the builder takes all layers or none"
        if name.endswith(PACKED) and f"{name.removesuffix('_packed')}_scale" not in names:
            yield f"{name} has no scales"


def stored_bits(bits: int) -> int:
    """Return the width of the field that stores ``bits`` bits."""
    return next(width for width in (2, 4, 8) if bits <= width)


def block_of(inputs: int, groups: int) -> int:
    """Return the largest block that cuts a group of ``inputs / groups`` weights into equal parts.

    It is a power of two.

    Raises:
        StepError: not even blocks of 16 fit.
    """
    size = inputs // groups
    # 256 is a power of two, so this is the largest power of two up to 256 that divides the group
    block = math.gcd(size, LARGEST_BLOCK)
    if inputs % groups or block < LEAST_BLOCK:
        raise StepError(
            f"groups of {size} of {inputs} weights cannot be cut into blocks of {LEAST_BLOCK}; try"
            " runtime.weights=dense"
        )
    return block


def to_olive(grid: Grid, block: int) -> dict[str, Tensor]:
    """Return a layer's tensors in Olive's format.

    ``qweight`` (O, I * b / 8) and ``qzeros`` (O, ceil(I / block * b / 8)) are uint8; ``scales`` (O, I /
    block) are float32.
    """
    _outputs, inputs = grid.q.shape
    bits, offset = stored_bits(grid.bits), 1 << (stored_bits(grid.bits) - 1)
    repeats = inputs // block // grid.scale.shape[1]
    return {
        "qweight": pack(grid.q.to(torch.int16) + offset, bits),
        "scales": grid.scale.float().repeat_interleave(repeats, dim=1).contiguous(),
        "qzeros": pack(grid.zero.to(torch.int16).repeat_interleave(repeats, dim=1) + offset, bits),
    }


def pack(values: Tensor, bits: int) -> Tensor:
    """Pack unsigned integers (R, C) into bytes (R, ceil(C * bits / 8)), the first in the low bits."""
    each = 8 // bits
    padded = torch.nn.functional.pad(values.to(torch.uint8), (0, -values.shape[1] % each))
    shifts = torch.arange(each, dtype=torch.uint8) * bits
    parts = padded.reshape(values.shape[0], -1, each) << shifts
    return parts.sum(dim=-1).to(torch.uint8)


def grids_of(folder: Path) -> Iterator[tuple[str, Grid | Tensor]]:
    """Yield every layer of a checkpoint with its integers, and every other tensor, by name.

    One file of weights is in memory at a time.
    """
    from safetensors import safe_open

    for file in weight_files(folder):
        with safe_open(file, framework="pt") as tensors:
            names = set(tensors.keys())
            for name in sorted(names):
                if name.endswith(PACKED):
                    layer = name.removesuffix(PACKED)
                    parts = {
                        part: tensors.get_tensor(f"{layer}.{part}")
                        for part in PARTS
                        if f"{layer}.{part}" in names
                    }
                    yield layer, unpacked(parts)
                elif name.rpartition(".")[2] not in PARTS:
                    yield name, tensors.get_tensor(name)


PARTS = ("weight_packed", "weight_scale", "weight_shape", "weight_zero_point", "weight_g_idx")


def unpacked(parts: dict[str, Tensor]) -> Grid:
    """Return the integers of one layer, as compressed-tensors unpacks them."""
    from compressed_tensors.compressors.pack_quantized.helpers import unpack_from_int32

    outputs, inputs = (int(size) for size in parts["weight_shape"])
    words, scale = parts["weight_packed"], parts["weight_scale"].reshape(outputs, -1)
    bits = next(width for width in range(1, 9) if math.ceil(inputs * width / 32) == words.shape[1])
    zero = torch.zeros(scale.shape, dtype=torch.int8)
    if "weight_zero_point" in parts:
        zero = unpack_from_int32(parts["weight_zero_point"], bits, scale.shape, packed_dim=0)
    return Grid(unpack_from_int32(words, bits, torch.Size((outputs, inputs))), scale, zero, bits)


def write_olive(folder: Path, out: Path) -> dict[str, Any]:
    """Write the checkpoint in ``folder`` to ``out`` in Olive's format; return the builder's options."""
    from safetensors.torch import save_file

    out.mkdir(parents=True)
    tensors: dict[str, Tensor] = {}
    layers: dict[str, dict[str, int]] = {}
    for name, found in grids_of(folder):
        if isinstance(found, Grid):
            block = block_of(found.q.shape[1], found.scale.shape[1])
            tensors |= {f"{name}.{part}": tensor for part, tensor in to_olive(found, block).items()}
            layers[name] = {"bits": stored_bits(found.bits), "group_size": block}
        else:
            tensors[name] = found
    config = read_json(folder / "config.json")
    common = next(iter(layers.values()))
    config["quantization_config"] = {
        "quant_method": "olive",
        "symmetric": False,
        "desc_act": False,
        **common,
        "overrides": layers,
    }
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    write_json(out / "config.json", config)
    for name in COPIED:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, out / name)
    return {"fuse_qkv": _same_grids(layers)}


def _same_grids(layers: dict[str, dict[str, int]]) -> bool:
    """Return whether the builder may stack query, key and value: in each layer they have the same grid."""
    stacks: dict[str, set[tuple[int, ...]]] = {}
    for name, facts in layers.items():
        if name.endswith(("q_proj", "k_proj", "v_proj")):
            stacks.setdefault(name.rpartition(".")[0], set()).add(tuple(facts.values()))
    return all(len(kinds) == 1 for kinds in stacks.values())
