"""``compress=[depth]`` and ``compress=[width]``: structured pruning, for a smaller model on every runtime.

Depth removes whole decoder layers (Men et al. 2024, Gromov et al. 2024). Width removes feed-forward channels,
attention heads and channels of the residual stream, equally from all layers (Minitron, Muralidharan et al.
2024). The result is an ordinary folder of the same architecture with smaller numbers in its config, which
plain ``from_pretrained`` loads. It needs healing: train it afterwards (recipe=depth_heal, recipe=width_heal).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ptx import (
    Choice,
    DataSet,
    Problem,
    Promise,
    RunConfig,
    SettingError,
    hookimpl,
    must_be_at_least,
    must_be_one_of,
    setting,
)
from ptx.lm.compression import calibration
from ptx.lm.compression.calibration import Calibrated

DEPTH_IMPORTANCE = ("influence", "angular", "taylor", "loss")
WIDTH_IMPORTANCE = ("activation", "taylor")
KEPT = ("ffn", "groups", "heads", "hidden")


@dataclass
class Depth(Calibrated):
    """Remove the decoder layers that change their input least."""

    layers: float = setting(0.25, "layers to remove: a share of them, or a number from 1")
    importance: str = setting(
        "influence",
        "how a layer is scored: influence (1 - cosine of its input and output) or angular (best block of"
        " neighbours), which keep the first and the last layer; taylor; or loss (slow: the loss without it,"
        " one layer after the other)",
    )
    samples: int = setting(64, "calibration rows")
    max_length: int = setting(512, "calibration rows are cut to this many tokens")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 < self.layers < 1 or (self.layers >= 1 and self.layers == int(self.layers))):
            raise SettingError(
                f"compress.depth.layers must be a share between 0 and 1 or a whole number, got {self.layers};"
                " try compress.depth.layers=0.25",
                "compress.depth.layers",
            )
        must_be_one_of("compress.depth.importance", self.importance, DEPTH_IMPORTANCE, DEPTH_IMPORTANCE[0])

    def promise(self) -> Promise:
        """Promise nothing about single tensors: what remains has other names or shapes.

        compress.py compares the logits instead.
        """
        return Promise(keeps_zeros=False)


@dataclass
class Width(Calibrated):
    """Keep the most important feed-forward channels, attention heads and residual channels of every layer."""

    ffn: float = setting(0.75, "feed-forward channels kept: a share of them (1: all), or a number above 1")
    groups: float = setting(1.0, "key-value heads kept, each with its query heads")
    heads: float = setting(1.0, "query heads kept of those that share a key-value head")
    hidden: float = setting(1.0, "channels of the residual stream (and embeddings) kept")
    multiple: int = setting(8, "ffn and hidden become multiples of this; kernels are faster with 32 or more")
    importance: str = setting(
        "activation", "activation (Minitron), or taylor (|gate x gradient|, needs a backward pass)"
    )
    over_tokens: str = setting("mean", "how activations are aggregated over a row's tokens: mean, or l2")
    over_rows: str = setting("l2", "how scores are aggregated over the rows: l2, or mean")
    samples: int = setting(64, "calibration rows")
    max_length: int = setting(512, "calibration rows are cut to this many tokens")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in KEPT:
            value = getattr(self, name)
            if value <= 0 or (value > 1 and value != int(value)):
                raise ValueError(
                    f"compress.width.{name} must be a share up to 1 or a whole number above it, got {value};"
                    f" try compress.width.{name}=0.75"
                )
        if all(getattr(self, name) == 1 for name in KEPT):
            raise SettingError(
                "compress.width removes nothing as it is set; try compress.width.ffn=0.75, or groups, heads,"
                " hidden",
                "compress.width.ffn",
            )
        must_be_one_of("compress.width.importance", self.importance, WIDTH_IMPORTANCE, WIDTH_IMPORTANCE[0])
        must_be_one_of("compress.width.over_tokens", self.over_tokens, ("mean", "l2"), "mean")
        must_be_one_of("compress.width.over_rows", self.over_rows, ("l2", "mean"), "l2")
        must_be_at_least("compress.width.multiple", self.multiple, 1, 8)

    def promise(self) -> Promise:
        """Promise nothing about single tensors: what remains has other names or shapes.

        compress.py compares the logits instead.
        """
        return Promise(keeps_zeros=False)


@hookimpl
def ptx_choices() -> list[Choice]:
    """``compress=[depth]`` and ``compress=[width]``."""
    libraries, calls = ("transformers", "torch"), "ptx_structured_pruning.compress:compress"
    width = "feed-forward channels, heads and residual channels removed"
    return [
        Choice(
            "compress", "depth", Depth, "whole decoder layers removed", libraries, version="2", calls=calls
        ),
        Choice("compress", "width", Width, width, libraries, calls=calls),
    ]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Report unknown architectures, impossible sizes and problems with the calibration data.

    Only headers are read.
    """
    chosen = [compressor for compressor in config.compress.values() if isinstance(compressor, Depth | Width)]
    if not chosen:
        return []
    from ptx_structured_pruning.layout import stored_problems

    found = [
        problem
        for step in chosen
        for problem in calibration.problems(step, type(step).__name__.lower(), model, data)
    ]
    return [*found, *stored_problems(chosen, model)]
