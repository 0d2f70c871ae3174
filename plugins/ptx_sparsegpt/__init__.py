"""``compress=[sparsegpt]``: one-shot pruning after Frantar and Alistarh 2023, run by llm-compressor.

The result is a dense checkpoint with zeros in it: it weighs and takes as long as before on every runtime that ptx knows (sparse formats
were removed upstream in 2026). What pruning buys must come from what follows it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ptx import Choice, Compressor, DataSet, ModelRef, Problem, Run, RunConfig, hookimpl, setting


@dataclass
class SparseGPT(Compressor):
    """Set a share of every linear layer's weights to zero and adjust the others to make up for it."""

    needs: ClassVar[tuple[str, ...]] = ("calibration",)
    sparsity: float = setting(0.5, "share of weights set to zero")
    pattern: str = setting("unstructured", "unstructured, or n:m: n zeros in every m neighbouring weights, such as 2:4")
    block_size: int = setting(128, "columns that are pruned together")
    dampening: float = setting(0.01, "added to the Hessian's diagonal, as a share of its mean")
    samples: int = setting(128, "calibration rows")
    max_length: int = setting(1024, "calibration rows are cut to this many tokens")
    skip: list[str] = setting([], "regular expressions: linear layers to leave alone (the output layer always is)")

    def __post_init__(self) -> None:
        if not 0 < self.sparsity < 1:
            raise ValueError(
                f"compress.sparsegpt.sparsity must lie between 0 and 1, got {self.sparsity}; try compress.sparsegpt.sparsity=0.5"
            )
        for name in ("block_size", "samples", "max_length"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"compress.sparsegpt.{name} must be at least 1, got {getattr(self, name)}; try compress.sparsegpt.{name}=128"
                )
        if self.dampening <= 0:
            raise ValueError(f"compress.sparsegpt.dampening must be positive, got {self.dampening}; try compress.sparsegpt.dampening=0.01")
        self._check_pattern()
        check_patterns(self.skip)

    def _check_pattern(self) -> None:
        if self.pattern == "unstructured":
            return
        if not (found := re.fullmatch(r"(\d+):(\d+)", self.pattern)) or not 0 < int(found[1]) < int(found[2]):
            raise ValueError(
                f"compress.sparsegpt.pattern must be unstructured or n:m, got {self.pattern!r}; try compress.sparsegpt.pattern=2:4"
            )
        zeros, group = int(found[1]), int(found[2])
        if abs(zeros / group - self.sparsity) > 1e-3:
            raise ValueError(
                f"compress.sparsegpt.pattern={self.pattern} is a sparsity of {zeros / group:.4g}, but sparsity is {self.sparsity}; "
                f"add compress.sparsegpt.sparsity={zeros / group:.4g}"
            )
        if self.block_size % group:
            raise ValueError(
                f"compress.sparsegpt.block_size must be a multiple of {group} for pattern {self.pattern}, got {self.block_size}; "
                f"try compress.sparsegpt.block_size={group * max(1, 128 // group)}"
            )


def check_patterns(skip: list[str]) -> None:
    """Every entry must be a regular expression."""
    for pattern in skip:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"compress.sparsegpt.skip: {pattern!r} is no regular expression ({error}); try 'down_proj'") from error


@hookimpl
def ptx_choices() -> list[Choice]:
    """``compress=[sparsegpt]``."""
    libraries = ("llmcompressor", "compressed-tensors", "transformers", "torch")
    return [Choice("compress", "sparsegpt", SparseGPT, "one-shot pruning (SparseGPT)", libraries)]


@hookimpl
def ptx_validate(config: RunConfig, model: Path) -> list[Problem]:
    """A quantised model cannot be pruned."""
    file = model / "config.json"
    chosen = any(isinstance(compressor, SparseGPT) for compressor in config.compress.values())
    if not chosen or not file.is_file() or "quantization_config" not in json.loads(file.read_text(encoding="utf-8")):
        return []
    return [
        Problem(
            f"compress=[sparsegpt]: {model} is quantised already, and pruning needs full weights", "start from the model it was made of"
        )
    ]


@hookimpl
def ptx_compress(run: Run, compressor: Compressor, model: ModelRef, data: DataSet | None) -> ModelRef | None:
    """Prune."""
    if not isinstance(compressor, SparseGPT):
        return None
    from ptx.lm.load import quiet

    quiet()
    from ptx_sparsegpt.compress import prune

    return prune(run, compressor, model, data)
