"""Named schemes: how weights, activations and the KV cache are stored.

The names are those of compressed-tensors' presets in lower case (w4a16: weights of 4 bits, activations of
16), and ``w8a8_static``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ptx.lm.compression.grid import CHANNEL

FREE = -2  # integer weights may share a scale in groups of any size


@dataclass(frozen=True)
class Scheme:
    """The facts of a named scheme that matter before anything is loaded."""

    preset: str
    bits: int
    group: int = FREE  # FREE, CHANNEL, or the one size that the format has
    calibrated: bool = False  # activation ranges are fixed beforehand, on data
    half: bool = False  # scales are stored in the base's 16-bit type: a float32 base fails after reloading

    @property
    def weights_alone(self) -> bool:
        """Whether it is symmetric integer weights and nothing else."""
        return not self.preset or re.fullmatch(r"W\dA16", self.preset) is not None


SCHEMES: dict[str, Scheme] = {
    **{f"w{bits}a16": Scheme(f"W{bits}A16", bits) for bits in range(2, 9)},
    "w4a16_asym": Scheme("W4A16_ASYM", 4),
    "w4a8": Scheme("W4A8", 4),
    "w8a8": Scheme("W8A8", 8, CHANNEL),
    "w8a8_static": Scheme("W8A8", 8, CHANNEL, calibrated=True),
    "w4afp8": Scheme("W4AFP8", 4),
    "fp8": Scheme("FP8", 8, CHANNEL, calibrated=True),
    "fp8_dynamic": Scheme("FP8_DYNAMIC", 8, CHANNEL),
    "fp8_block": Scheme("FP8_BLOCK", 8, 128),
    "nvfp4": Scheme("NVFP4", 4, 16, calibrated=True, half=True),
    "nvfp4a16": Scheme("NVFP4A16", 4, 16, half=True),
    "mxfp4": Scheme("MXFP4", 4, 32, half=True),
    "mxfp4a16": Scheme("MXFP4A16", 4, 32, half=True),
    "mxfp8": Scheme("MXFP8", 8, 32, half=True),
    "mxfp8a16": Scheme("MXFP8A16", 8, 32, half=True),
}
#: how the KV cache is stored
KV_CACHE = ("", "fp8", "int8")
#: how the range of a group of weights, and of activations, is found
OBSERVERS = ("", "minmax", "mse", "imatrix_mse")
ACTIVATION_OBSERVERS = ("", "minmax", "static_minmax", "mse")
