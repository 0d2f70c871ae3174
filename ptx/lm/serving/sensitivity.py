"""What it costs to round one matrix of a model, in nats per token, for all matrices from one backward pass.

Let a text x be drawn from the model p, and g the gradient of log p(x) by a matrix. Rounding changes the
matrix by d. To second order KL(p || q) = 1/2 E[(g . d)^2] (the Fisher information), and g . d needs no
gradient of the weights: with inputs X (T, I) and output gradients G (T, O) of the layer it is the sum of G *
(X d^T). The texts on which a package is compared are drawn from the model, so this is the number that the
comparison measures, up to higher orders and to what rounded matrices do to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ptx.lm.serving.mixed import Menu, Price

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Change = Callable[[str, Tensor], Mapping[str, Tensor]]  # (layer, weight) -> by format: rounded minus weight


@dataclass(frozen=True)
class Pass:
    """Inputs and output gradients of a layer: ids (R, T) of an embedding, else (R, T, I); and (R, T, O)."""

    inputs: Tensor
    gradients: Tensor


def effects(
    network: PreTrainedModel, rows: Sequence[Sequence[int]], start: int, change: Change
) -> dict[str, dict[str, Tensor]]:
    """The change of log p of each text, (R,), by layer and format.

    Args:
        network: the model.
        rows: texts of one length that it wrote.
        start: tokens at the beginning of each that it did not write.
        change: the change of a layer's weight by each format that is considered for it.
    """
    with _watched(network) as (inputs, outputs):
        ids = torch.tensor([list(row) for row in rows])
        scores = network(input_ids=ids, use_cache=False).logits[:, start - 1 : -1].float()
        drawn = ids[:, start:, None]
        (scores.gather(-1, drawn)[..., 0] - scores.logsumexp(-1)).sum().backward()
    found: dict[str, dict[str, Tensor]] = {}
    for name, layer in _layers(network):
        if outputs.get(name) is not None and outputs[name].grad is not None:
            seen = Pass(inputs.pop(name), outputs.pop(name).grad)
            found[name] = {
                kind: _effect(layer, seen, delta)
                for kind, delta in change(name, layer.weight.detach()).items()
            }
    return found


def priced(
    network: PreTrainedModel,
    texts: tuple[Sequence[Sequence[int]], int],
    layers: Mapping[str, Sequence[str]],
    formats: Mapping[str, Mapping[str, float]],
    rounded: Callable[[str, str, Tensor], Tensor],
) -> Menu:
    """What each format of each matrix costs in bytes and in nats per token.

    Args:
        network: the model.
        texts: rows that it wrote, and the number of tokens at their beginning that it did not.
        layers: by matrix of the package: the layers of the model that are in it, at least one.
        formats: by matrix: the bytes of each of its formats.
        rounded: the weight that is left of (layer, format, weight).
    """
    rows, start = texts
    owner = {layer: matrix for matrix, found in layers.items() for layer in found}

    def change(layer: str, weight: Tensor) -> dict[str, Tensor]:
        kinds = formats[owner[layer]] if layer in owner else {}
        return {kind: rounded(layer, kind, weight) - weight for kind in kinds}

    found = effects(network, rows, start, change)
    tokens = len(rows[0]) - start
    return {
        matrix: [
            Price(
                kind, size, nats(torch.stack([found[layer][kind] for layer in layers[matrix]]).sum(0), tokens)
            )
            for kind, size in formats[matrix].items()
        ]
        for matrix in layers
    }


def nats(effect: Tensor, tokens: int) -> float:
    """The KL in nats per token of a change whose effect on each text's log p is ``effect`` (R,)."""
    return float(effect.square().mean()) / 2 / tokens


def _effect(layer: nn.Module, seen: Pass, delta: Tensor) -> Tensor:
    changed = delta[seen.inputs] if isinstance(layer, nn.Embedding) else seen.inputs @ delta.T  # (R, T, O)
    if isinstance(layer, nn.Embedding):
        changed = changed * getattr(layer, "embed_scale", torch.ones(()))  # Gemma 3 scales after the look-up
    return (seen.gradients * changed).sum((1, 2))


def _layers(network: PreTrainedModel) -> Iterator[tuple[str, nn.Module]]:
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Linear | nn.Embedding):
            yield name, layer


@contextmanager
def _watched(network: PreTrainedModel) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """Keep the inputs and outputs of every layer; only activations get gradients, so memory stays small."""
    inputs: dict[str, Tensor] = {}
    outputs: dict[str, Tensor] = {}
    wanted = [parameter for parameter in network.parameters() if parameter.requires_grad]

    def keep(name: str) -> Callable[[nn.Module, tuple[Any, ...], Tensor], Tensor]:
        def hook(layer: nn.Module, given: tuple[Any, ...], output: Tensor) -> Tensor:
            if isinstance(layer, nn.Embedding) and not output.requires_grad:
                output.requires_grad_()
            inputs[name], outputs[name] = given[0].detach(), output
            if output.requires_grad:
                output.retain_grad()
            return output

        return hook

    handles = [layer.register_forward_hook(keep(name)) for name, layer in _layers(network)]
    try:
        for parameter in wanted:
            parameter.requires_grad_(False)
        with torch.enable_grad():
            yield inputs, outputs
    finally:
        for handle in handles:
            handle.remove()
        for parameter in wanted:
            parameter.requires_grad_(True)
