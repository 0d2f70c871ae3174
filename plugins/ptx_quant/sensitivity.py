"""The loss of each layer at each width, and the widths with the smallest total loss within the budget.

A layer's loss at a width is the KL divergence of the model's predictions with that one layer rounded to
nearest, in nats per token (as in HAWQ and later work, but measured instead of approximated by curvature).
That losses add up is an assumption; the predicted sum is in the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ptx import Run, StepError
from ptx.lm.compression.grid import endings, round_to_nearest
from ptx.lm.compression.network import Layers
from ptx.lm.compression.oneshot import Batch
from ptx.lm.progress import Pace
from ptx_quant.budget import Budget
from ptx_quant.mixed import Mixed
from ptx_quant.solver import allocate

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TOKENS = 64  # per probing row: their log-probabilities are kept in memory


def chosen_bits(
    run: Run,
    network: PreTrainedModel,
    layers: Layers,
    groups: Mapping[str, int],
    config: Mixed,
    batches: list[Batch],
    budget: Budget,
) -> dict[str, int]:
    """Return the bits per layer; record the choice, its predicted loss and all measured losses."""
    widths = sorted(set(config.candidates))
    losses = sensitivities(run, network, layers, groups, config, batches)
    choice = allocate(
        budget.costs, [[losses[name, bits] for bits in widths] for name in layers], budget.total
    )
    bits = {name: widths[index] for name, index in zip(layers, choice, strict=True)}
    predicted = sum(losses[name, bits[name]] for name in layers)
    table = {name: {str(width): losses[name, width] for width in widths} for name in layers}
    taken, allowed = budget.total_of(choice), budget.total + budget.rest
    run.event(
        "sensitivity",
        losses=table,
        bits=bits,
        predicted=predicted,
        taken=taken,
        allowed=allowed,
        unit=budget.unit,
    )
    counts = "; ".join(
        f"{width} bits: {_few([name for name in layers if bits[name] == width])}" for width in widths
    )
    run.say(f"{_budget_use(budget, taken, allowed, layers)}; {counts}")
    return bits


def _budget_use(budget: Budget, taken: int, allowed: int, layers: Layers) -> str:
    if budget.unit == "bytes":
        return f"{taken:,} bytes of {allowed:,} allowed, {budget.rest:,} of them outside the layers"
    weights = sum(layer.weight.numel() for layer in layers.values())
    return f"{taken / weights:.3g} bits per weight of {allowed / weights:g} allowed"


def _few(names: list[str]) -> str:
    return f"{len(names)} layers ({', '.join(endings(names))})" if names else "none"


def sensitivities(
    run: Run,
    network: PreTrainedModel,
    layers: Layers,
    groups: Mapping[str, int],
    config: Mixed,
    batches: list[Batch],
) -> dict[tuple[str, int], float]:
    """Return (layer, bits) -> mean KL of the predictions with that layer alone rounded, in nats per token."""
    rows = [row[:TOKENS] for batch in batches for row in batch["input_ids"]][: config.probes]
    if not rows:
        raise StepError("there is no calibration row on which the layers can be measured")
    before = [predictions(network, row) for row in rows]
    widths, found, pace = sorted(set(config.candidates)), {}, Pace(run)
    for number, (name, layer) in enumerate(layers.items()):
        kept = layer.weight.detach().clone()
        for bits in widths:
            layer.weight.data.copy_(round_to_nearest(kept, bits, groups[name], symmetric=config.symmetric))
            found[name, bits] = sum(
                map(divergence, before, (predictions(network, row) for row in rows))
            ) / len(rows)
        layer.weight.data.copy_(kept)
        pace.log({"layers_measured": number + 1}, number + 1, len(layers))
    return found


def predictions(network: PreTrainedModel, row: Tensor) -> Tensor:
    """Return the log-probabilities after every token of a row (T,): float32 on the CPU, (T, V)."""
    with torch.no_grad():
        logits = network(input_ids=row[None].to(network.device), use_cache=False).logits[0]
    return torch.as_tensor(logits).float().log_softmax(-1).cpu()


def divergence(before: Tensor, after: Tensor) -> float:
    """Return the mean over tokens of KL(before || after), both (T, V) log-probabilities."""
    return float((before.exp() * (before - after)).sum(-1).mean())
