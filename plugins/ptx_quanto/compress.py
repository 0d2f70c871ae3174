"""The step: quantise, measure activations, freeze, save.

optimum-quanto's ``Calibration`` switches off the outputs' quantisation where it finds no use for it
(``streamline``), and does not store that it did: read back, such a model quantises what it did not in memory
(KL 0.004 nats on stories260K, int8). So it is told not to.
"""

from __future__ import annotations

from typing import Any

import torch

from ptx import DataSet, ModelRef, Run
from ptx.lm.compression.grid import endings
from ptx.lm.compression.network import context_of, load_merged, targeted_layers
from ptx.lm.compression.oneshot import Batch, recorded_batches
from ptx.lm.load import load_tokenizer
from ptx.lm.progress import Pace
from ptx.lm.quanto import save_packed
from ptx_quanto import WEIGHTS, Quanto


def quantise(run: Run, config: Quanto, model: ModelRef, data: DataSet | None) -> ModelRef:
    """Quantise ``model`` and save it below ``run.folder``."""
    from optimum.quanto import HqqOptimizer, MaxOptimizer, freeze, quantize

    tokenizer = load_tokenizer(model.path)
    network = load_merged(run, model)
    layers = targeted_layers(network, config.skip)
    batches = recorded_batches(run, data, tokenizer, config, context_of(network))
    optimizer = {"": None, "minmax": MaxOptimizer, "hqq": HqqOptimizer}[config.optimizer]
    quantize(
        network,
        weights=f"q{config.weights}",
        activations=f"q{config.activations}" if config.activations else None,
        optimizer=optimizer() if optimizer else None,
        include=list(layers),
    )
    measure(run, network, batches)
    network.requires_grad_(requires_grad=False)
    freeze(network)
    run.log({"quantised_layers": float(len(layers)), "bits": float(WEIGHTS[config.weights])}, 1, 1)
    if WEIGHTS[config.weights] < 8:
        run.say(grouped({name: network.get_submodule(name).weight_group_size for name in layers}))
    save_packed(network, tokenizer, run.folder / "model", config.weights)
    return ModelRef.of(run.folder / "model")


def measure(run: Run, network: Any, batches: list[Batch]) -> None:
    """Ranges of activations, as moving averages over the batches."""
    from optimum.quanto import Calibration

    pace = Pace(run)
    with torch.no_grad(), Calibration(streamline=False):
        for number, batch in enumerate(batches, 1):
            network(input_ids=batch["input_ids"].to(network.device), use_cache=False)
            pace.log({"batches_done": number, "batches": len(batches)}, number, len(batches))


def grouped(groups: dict[str, int | None]) -> str:
    """Which layers share scales in which groups; quanto decides: 128, or less by 32s, or the whole row."""
    said = []
    for size in sorted(set(groups.values()), key=lambda size: size or 0, reverse=True):
        names = ", ".join(sorted(endings([name for name, own in groups.items() if own == size])))
        said.append(f"{names}: {f'groups of {size}' if size else 'one scale per output channel'}")
    return "; ".join(said)
