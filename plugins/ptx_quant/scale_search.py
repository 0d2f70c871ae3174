"""AWQ's search for scales by Hessians instead of forward passes: ``compress.awq.statistics=shared``.

For a linear layer with inputs x, the mean squared error of its outputs with weights W + D is the trace of
D H D', where H is the mean of x x'. So the error of each candidate costs one product of matrices, instead of
a pass of all calibration rows, and H does not depend on the number of bits. Where llm-compressor takes the
error behind the attention or the gated layer, this is the error of the linear layers that read the scaled
channels themselves; for ``o_proj`` and ``down_proj`` both are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from llmcompressor.modifiers.transform import AWQModifier
from pydantic import PrivateAttr
from torch import Tensor, nn

from ptx.lm.compression.statistics import Statistics


class ScaleSearch(AWQModifier):  # type: ignore[misc]
    """llm-compressor's AWQ with the errors of candidates from :class:`Statistics`.

    The grid, the scales and how they are applied are the library's.
    """

    _statistics: Any = PrivateAttr(default=None)
    _layers: Any = PrivateAttr(default=())  # of the search under way
    _hessians_of: Any = PrivateAttr(default=())

    def read(self, statistics: Statistics) -> None:
        """Take the statistics of the uncompressed model."""
        self._statistics = statistics

    def on_sequential_epoch_end(
        self, state: Any, event: Any, modules: Sequence[nn.Module] = (), **options: Any
    ) -> None:
        """Search the scales of a stage, as if its rows had been seen."""
        here = set(modules)
        for mapping in self._resolved_mappings:
            seen = all(name in self._statistics for name in mapping.balance_names)
            if seen and mapping.balance_layers[0] in here:
                mean = self._statistics.magnitudes(mapping.balance_names[0])
                self._smooth_activation_stats[mapping.smooth_name] = [mean, torch.tensor(1)]
        super().on_sequential_epoch_end(state, event, modules=modules, **options)

    def _run_samples(self, module: nn.Module) -> list[Tensor]:
        """The weights of the layers below ``module`` whose inputs are scaled: what the errors follow from."""
        (mapping,) = (
            one
            for one in self._resolved_mappings
            if one.parent is module and one.smooth_name in self._smooth_activation_stats
        )
        if self._layers is not mapping.balance_layers:
            self._layers = mapping.balance_layers
            device = mapping.balance_layers[0].weight.device
            self._hessians_of = [self._statistics.hessian(name).to(device) for name in mapping.balance_names]
        return [layer.weight.detach().float().clone() for layer in self._layers]

    def _compute_loss(self, before: list[Tensor], after: list[Tensor]) -> float:
        """The mean squared error of the outputs over tokens and features."""
        moved = [new - old for old, new in zip(before, after, strict=True)]
        total = sum(
            squared_error(one, hessian) for one, hessian in zip(moved, self._hessians_of, strict=True)
        )
        return float(total) / sum(len(one) for one in moved)


def squared_error(moved: Tensor, hessian: Tensor) -> float:
    """The mean over tokens of ||D x||^2, for D (R, C) and the mean of x x' (C, C)."""
    return float(((moved @ hessian) * moved).sum())
