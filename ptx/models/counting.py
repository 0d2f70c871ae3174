"""Counts the weights of a model from the names, types and shapes of its stored tensors, packed or not."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ptx.guard.patterns import of_user

#: name, type and shape
Tensor = tuple[str, str, list[int]]
#: bytes of packed integers in a quantised checkpoint hold several weights each
PACKED = ("qweight", "weight_packed", "weight._data._data")


def commonest_dtype(tensors: Sequence[Tensor]) -> str:
    """The type of most stored values, as torch names it."""
    sizes: Counter[str] = Counter()
    for _, dtype, shape in tensors:
        sizes[dtype] += math.prod(shape)
    if not sizes:
        return ""
    name = sizes.most_common(1)[0][0]
    return {
        "F32": "float32",
        "F16": "float16",
        "BF16": "bfloat16",
        "F64": "float64",
        "I32": "int32",
        "I8": "int8",
        "U8": "uint8",
    }.get(name, name.lower())


def count_weights(tensors: Sequence[Tensor], config: dict[str, Any]) -> int:
    """The number of weights, however they are stored.

    A packed integer counts as the weights that it holds; scales and zero points do not count. The padding of
    a packed row that does not fill its last word is counted too; that is the only error.
    """
    quantization = config.get("quantization_config") or {}
    if not quantization:
        return sum(math.prod(shape) for _, _, shape in tensors)
    return sum(
        math.prod(shape) * _packed(name, dtype, quantization)
        for name, dtype, shape in tensors
        if not is_scale(name)
    )


def _packed(name: str, dtype: str, quantization: dict[str, Any]) -> int:
    """The number of weights in one stored element."""
    integers = {"I32": 32, "U32": 32, "U8": 8}
    if name.endswith(PACKED) and dtype in integers:
        return integers[dtype] // _bits(quantization, name)
    return 1


def _bits(quantization: dict[str, Any], tensor: str) -> int:
    """Bits per weight of a tensor, from the configuration of GPTQ, AWQ or compressed-tensors.

    compressed-tensors may give different layers different widths.
    """
    layer = tensor.rpartition(".")[0]
    groups = list((quantization.get("config_groups") or {}).values())
    own = rf"re:^{re.escape(layer)}$"  # as ptx and llm-compressor name a single layer
    targets = [group.get("targets") or [] for group in groups]
    exact = [group for group, one in zip(groups, targets, strict=True) if own in one]
    named = exact or [
        group for group, one in zip(groups, targets, strict=True) if any(_names(name, layer) for name in one)
    ]
    groups = named or groups
    widths = [(group.get("weights") or {}).get("num_bits") for group in groups]
    return next(
        (int(bits) for bits in (*widths, quantization.get("bits"), quantization.get("w_bit")) if bits), 8
    )


def _names(target: Any, layer: str) -> bool:
    """Whether a target of compressed-tensors (``re:.*down_proj``) names a layer."""
    if not str(target).startswith("re:"):
        return False
    where = "config.json, quantization_config"
    return of_user(str(target)[3:], where, "re:.*down_proj").match(layer) is not None


def is_scale(name: str) -> bool:
    """Whether a stored tensor belongs to the packed weights beside it and is no weight itself."""
    return name.rsplit(".", 1)[-1].endswith(
        ("scale", "scales", "zero_point", "_shift", "qzeros", "g_idx", "weight_shape")
    )
