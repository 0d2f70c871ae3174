"""Products in bfloat16 of float32 weights that move by less than bfloat16 can say.

Under autocast a weight is rounded to the nearest bfloat16 for every pass. A checkpoint in bfloat16 lies on
that grid, so a training at a small rate is not seen by its own forward pass until a weight has moved by half
a step: DPO of SmolLM2 at 1e-6 saw a margin of 0.05 where float32 saw 0.3. Here each weight of a linear layer
is rounded at a threshold of its own, drawn once (:mod:`ptx.lm.rounding`): after a fifth of a step every fifth
weight has moved, and before the first one none has. The copy serves all passes of an optimizer step, which
saves the casts of every pass besides. The gradient is that of the weight, as under autocast.

Weights that lie between the grid's points need no thresholds: to the nearest they flip one by one, too.

The base of an adapter does not move: its layers are held in bfloat16 (:func:`narrow_base`), as autocast would
cast them in every pass, and what they read is not cast to float32 and back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ptx.lm.rounding import rounded

DEVICE, NARROW = "cpu", torch.bfloat16  # on a GPU it has not been tried


@contextmanager
def narrow_weights(trainer: Any, seed: int, *, wanted: bool) -> Iterator[None]:
    """Within this context, and under autocast, layers on bfloat16's grid are rounded weight by weight."""
    linear = [one for one in trainer.model.modules() if wanted and type(one) is nn.Linear]
    layers = [one for one in linear if one.weight.requires_grad and _on_grid(one.weight.detach())]
    held: dict[int, tuple[int, Tensor]] = {}

    def narrow(place: int, weight: Tensor) -> Tensor:
        step = trainer.state.global_step
        if place not in held or held[place][0] != step:
            with torch.inference_mode(mode=False), torch.no_grad():  # a sampler may ask first
                held[place] = step, rounded(weight, NARROW, seed + place)  # the same thresholds
        cast: Tensor = _Cast.apply(weight, held[place][1])
        return cast

    for place, layer in enumerate(layers):
        layer.forward = partial(_forward, layer, partial(narrow, place))  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


@contextmanager
def narrow_base(trainer: Any, *, wanted: bool) -> Iterator[None]:
    """Within this context the layers that an adapter changes are in bfloat16, and inputs are not cast.

    Only layers on bfloat16's grid: they are in float32 again afterwards, to the last bit. Products are those
    of autocast, also to the last bit.
    """
    if not wanted:
        yield
        return
    from peft.helpers import disable_input_dtype_casting

    bases = (getattr(one, "base_layer", None) for one in trainer.model.modules())
    layers = [one for one in bases if isinstance(one, nn.Linear) and _on_grid(one.weight.detach())]
    for layer in layers:
        layer.weight.data = layer.weight.data.to(NARROW)
        layer.forward = partial(_autocast, layer)  # type: ignore[method-assign]
    try:
        with disable_input_dtype_casting(trainer.model):
            yield
    finally:
        for layer in layers:
            del layer.forward
            layer.weight.data = layer.weight.data.float()


def _autocast(layer: nn.Linear, given: Tensor) -> Tensor:
    if torch.is_autocast_enabled(DEVICE):
        return type(layer).forward(layer, given)
    return functional.linear(given, layer.weight.to(given.dtype), layer.bias)


def _on_grid(weight: Tensor) -> bool:
    return bool(weight.dtype == torch.float32 and torch.equal(weight.to(NARROW).float(), weight))


def _forward(layer: nn.Linear, narrow: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
    if not torch.is_autocast_enabled(DEVICE):
        return type(layer).forward(layer, given)
    return functional.linear(given, narrow(layer.weight), layer.bias)


class _Cast(torch.autograd.Function):  # type: ignore[misc]
    """The rounded copy of a weight, with the gradient of the weight."""

    @staticmethod
    def forward(_: Any, weight: Tensor, copy: Tensor) -> Tensor:
        return copy.view_as(copy)

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient.float(), None
