"""The loss of each layer at each width, and the widths with the smallest total loss within the budget.

A layer's loss at a width is the KL divergence of the model's predictions with that one layer rounded to
nearest, in nats per token (as in HAWQ and later work, but measured instead of approximated by curvature).
That losses add up is an assumption; the predicted sum is in the record. The losses do not depend on the
budget, so a sweep of budgets measures them once: they are a product in the store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ptx import ModelRef, Run, StepError, machine
from ptx.files import digest_of, read_json
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
    model: ModelRef,
    network: PreTrainedModel,
    layers: Layers,
    groups: Mapping[str, int],
    config: Mixed,
    batches: list[Batch],
    budget: Budget,
) -> dict[str, int]:
    """Return the bits per layer; record the choice, its predicted loss and all measured losses."""
    widths = sorted(set(config.candidates))
    losses = stored_sensitivities(run, model, network, layers, groups, config, batches)
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


def stored_sensitivities(
    run: Run,
    model: ModelRef,
    network: PreTrainedModel,
    layers: Layers,
    groups: Mapping[str, int],
    config: Mixed,
    batches: list[Batch],
) -> dict[tuple[str, int], float]:
    """Return :func:`sensitivities`, from the store where another budget has asked for them."""
    ingredients = {
        "weights": model.digest or ModelRef.of(model.path).digest,
        "rows": digest_of([row.tolist() for row in probed(config, batches)]),
        "layers": {name: groups[name] for name in layers},
        "bits": sorted(set(config.candidates)),
        "symmetric": config.symmetric,
        "dtype": str(network.dtype),
        "device": run.device,
        "libraries": machine.versions(("transformers", "torch")),
    }

    def build(folder: Path) -> None:
        losses = sensitivities(run, network, layers, groups, config, batches)
        table = [[name, bits, loss] for (name, bits), loss in losses.items()]
        (folder / "losses.json").write_text(json.dumps(table), encoding="utf-8")

    folder = run.product("layer_sensitivities", ingredients, build)
    return {(name, bits): loss for name, bits, loss in read_json(folder / "losses.json")}


def probed(config: Mixed, batches: list[Batch]) -> list[Tensor]:
    """Return the rows on which the layers are measured, cut."""
    return [row[:TOKENS] for batch in batches for row in batch["input_ids"]][: config.probes]


def sensitivities(
    run: Run,
    network: PreTrainedModel,
    layers: Layers,
    groups: Mapping[str, int],
    config: Mixed,
    batches: list[Batch],
) -> dict[tuple[str, int], float]:
    """Return (layer, bits) -> mean KL of the predictions with that layer alone rounded, in nats per token."""
    rows = probed(config, batches)
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
