"""The step: quantise, measure activations, freeze, save.

optimum-quanto's ``Calibration`` disables the quantisation of outputs where it seems useless
(``streamline``), and does not store that. After reloading, such a model quantises values that were not
quantised in memory (KL 0.004 nats on stories260K, int8). So ``streamline`` is disabled here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ptx import DataSet, ModelRef, Run
from ptx.lm.compression.grid import endings
from ptx.lm.compression.network import context_of, linear_alone, load_merged, targeted_matrices
from ptx.lm.compression.oneshot import Batch, recorded_batches
from ptx.lm.dtypes import keep_dtypes, main_dtype
from ptx.lm.load import load_tokenizer
from ptx.lm.progress import Pace
from ptx.lm.quanto import save_packed
from ptx_quanto import WEIGHTS, Quanto

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def quantise(run: Run, compressor: Quanto, model: ModelRef, data: DataSet | None) -> ModelRef:
    """Quantise ``model`` and save it below ``run.folder``."""
    tokenizer = load_tokenizer(model.path)  # it silences the libraries, so their imports come after it
    from optimum.quanto import HqqOptimizer, MaxOptimizer, freeze, quantize

    network = load_merged(run, model, main_dtype(model.path))
    layers = linear_alone(targeted_matrices(network, compressor.skip), "optimum-quanto")
    batches = recorded_batches(run, data, tokenizer, compressor, context_of(network))
    optimizer = {"": None, "minmax": MaxOptimizer, "hqq": HqqOptimizer}[compressor.optimizer]
    quantize(
        network,
        weights=f"q{compressor.weights}",
        activations=f"q{compressor.activations}" if compressor.activations else None,
        optimizer=optimizer() if optimizer else None,
        include=list(layers),
    )
    measure(run, network, batches)
    network.requires_grad_(requires_grad=False)
    freeze(network)
    run.log({"quantised_layers": float(len(layers)), "bits": float(WEIGHTS[compressor.weights])}, 1, 1)
    if WEIGHTS[compressor.weights] < 8:
        run.say(describe_groups({name: network.get_submodule(name).weight_group_size for name in layers}))
    save_packed(network, tokenizer, run.folder / "model", compressor.weights)
    keep_dtypes(run.folder / "model", model.path)
    return ModelRef.of(run.folder / "model")


def measure(run: Run, network: PreTrainedModel, batches: list[Batch]) -> None:
    """Measure the ranges of activations, as moving averages over the batches."""
    from optimum.quanto import Calibration

    pace = Pace(run)
    with torch.no_grad(), Calibration(streamline=False):
        for number, batch in enumerate(batches, 1):
            network(input_ids=batch["input_ids"].to(network.device), use_cache=False)
            pace.log({"batches_done": number, "batches": len(batches)}, number, len(batches))


def describe_groups(groups: dict[str, int | None]) -> str:
    """Return a line that says which layers share scales in which groups.

    quanto chooses the group size: 128, or less in steps of 32, or the whole row.
    """
    parts = []
    for size in sorted(set(groups.values()), key=lambda size: size or 0, reverse=True):
        names = ", ".join(sorted(endings([name for name, own in groups.items() if own == size])))
        parts.append(f"{names}: {f'groups of {size}' if size else 'one scale per output channel'}")
    return "; ".join(parts)
