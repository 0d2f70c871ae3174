"""A model with units switched off and nothing removed: the reference for the smaller model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Kept:
    """Indices of the units that are kept.

    ``ffn``, ``groups`` and ``heads`` (query heads) have one entry per decoder layer; ``hidden`` holds for the
    whole residual stream.
    """

    ffn: list[Tensor]
    groups: list[Tensor]
    heads: list[Tensor]
    hidden: Tensor


@contextmanager
def without_layers(network: Any, layers: Sequence[int]) -> Iterator[None]:
    """While the context is open, these decoder layers return their input."""

    def skip(_module: Any, inputs: tuple[Tensor, ...], output: Any) -> Any:
        return (inputs[0], *output[1:]) if isinstance(output, tuple) else inputs[0]

    hooks = [network.model.layers[layer].register_forward_hook(skip) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def without_units(network: Any, kept: Kept, head_dim: int) -> Iterator[None]:
    """While the context is open, every unit that is not kept gives zero.

    Channels are masked before down_proj, heads before o_proj, and residual channels wherever they are
    written.
    """
    hidden = _mask(kept.hidden, network.config.hidden_size)
    with ExitStack() as stack:

        def on(hook: Any) -> None:
            stack.callback(hook.remove)

        on(network.get_input_embeddings().register_forward_hook(_times(hidden)))
        for layer, ffn, heads in zip(network.model.layers, kept.ffn, kept.heads, strict=True):
            down, out = layer.mlp.down_proj, layer.self_attn.o_proj
            on(down.register_forward_pre_hook(_times_input(_mask(ffn, down.in_features))))
            on(
                out.register_forward_pre_hook(
                    _times_input(_mask(heads, out.in_features // head_dim).repeat_interleave(head_dim))
                )
            )
            on(down.register_forward_hook(_times(hidden)))
            on(out.register_forward_hook(_times(hidden)))
        yield


def _mask(places: Tensor, size: int) -> Tensor:
    mask = torch.zeros(size)
    mask[places] = 1
    return mask


def _times(mask: Tensor) -> Any:
    return lambda _module, _inputs, output: output * mask.to(output)


def _times_input(mask: Tensor) -> Any:
    return lambda _module, inputs: (inputs[0] * mask.to(inputs[0]), *inputs[1:])
