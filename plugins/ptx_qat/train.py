"""Training with rounded weights, and the check that the written weights are the trained ones.

A layer's ``forward`` is replaced during training, and its weight stays where it is.
``torch.nn.utils.parametrize`` would also work, but it renames the weights, and then checkpoints and
``ptx.lm.training.keep_zeros`` (which sets weights in place) would have to handle the new names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 (the usual name)
from torch import Tensor, nn

from ptx import ModelRef, Run, StepError
from ptx.files import read_json, write_json
from ptx.lm.compression.grid import describe_group_sizes, groups_for, round_to_nearest
from ptx.lm.compression.network import Layers, StoredWeights, linear_alone, targeted_matrices
from ptx.lm.compression.resume import digest
from ptx.lm.training.distributed import is_main_rank, is_sharded
from ptx.lm.training.method import TrlMethod
from ptx.lm.training.trainer import result_dtype
from ptx_qat import RoundToNearest
from ptx_qat.straight import straight_through

if TYPE_CHECKING:
    from transformers import Trainer

#: file beside the checkpoints: layer -> digest of its rounded weight, and its group size
TRAINED = "qat.json"


@contextmanager
def rounded(
    run: Run, method: TrlMethod, config: RoundToNearest, model: ModelRef, trainer: Trainer
) -> Iterator[None]:
    """Within this context the linear layers of the trainer's model compute with rounded weights.

    Raises:
        StepError: the model is sharded.
    """
    if is_sharded(trainer):
        raise StepError(
            "the weights of a sharded model cannot be rounded in their groups; try launch=torchrun"
        )
    network = trainer.accelerator.unwrap_model(trainer.model)
    layers = linear_alone(targeted_matrices(network, config.skip), "qat=rtn")
    widths = {name: layer.inputs for name, layer in layers.items()}
    groups = groups_for(widths, config.group_size)
    if said := describe_group_sizes(widths, groups, config.group_size):
        run.say(said)
    shared = f"groups of {config.group_size}" if config.group_size > 0 else "a scale per output channel"
    run.say(f"{len(layers)} linear layers are trained with rounded weights: {config.bits} bits, {shared}")
    stored = result_dtype(method, model)
    try:
        for name, layer in layers.items():
            layer.module.forward = _forward(layer.module, config, groups[name], stored)
        yield
    finally:
        for layer in layers.values():
            layer.module.__dict__.pop("forward", None)
    _record_trained(run, config, layers, groups, stored)


def _forward(
    layer: nn.Linear, config: RoundToNearest, group: int, stored: torch.dtype
) -> Callable[[Tensor], Tensor]:
    def forward(states: Tensor) -> Tensor:
        weight = straight_through(layer.weight, config.bits, group, symmetric=config.symmetric, stored=stored)
        return F.linear(states, weight, layer.bias)

    return forward


def _record_trained(
    run: Run, config: RoundToNearest, layers: Layers, groups: dict[str, int], stored: torch.dtype
) -> None:
    """Write digests of the rounded weights for :func:`verify`, and log their relative error."""
    trained, gap, norm = {}, 0.0, 0.0
    for name, layer in layers.items():
        weight = layer.weight.detach().to(stored)
        near = round_to_nearest(weight, config.bits, groups[name], symmetric=config.symmetric)
        trained[name] = {"group": groups[name], "digest": digest(near)}
        gap += float((weight - near).float().square().sum())
        norm += float(weight.float().square().sum())
    run.event(
        "qat", bits=config.bits, groups=groups, relative_weight_error=(gap / norm) ** 0.5 if norm else 0.0
    )
    if is_main_rank():
        write_json(run.checkpoints / TRAINED, trained)


def verify(run: Run, config: RoundToNearest, made: ModelRef) -> None:
    """Check that the weights of the model folder round to the weights used in training.

    Raises:
        StepError: they do not; or the method has its own training loop, and nothing was rounded.
    """
    if not is_main_rank():
        return
    file = run.checkpoints / TRAINED
    if not file.is_file():
        raise StepError(
            f"{run.label} was not trained with rounded weights, because its method has its own training loop;"
            " leave out qat=rtn"
        )
    trained = read_json(file)
    stored = StoredWeights(made.path, {})
    found = {name: f"{name}.weight" for name in trained if f"{name}.weight" in stored.files}
    if len(found) < len(trained):
        run.say(
            f"{len(trained) - len(found)} of {len(trained)} layers are stored under other names and"
            " are not compared with the trained weights"
        )
    other = [
        name
        for name, tensor in found.items()
        if _rounded_digest(stored, tensor, config, trained[name]) != trained[name]["digest"]
    ]
    if other:
        raise StepError(
            f"{len(other)} of {len(found)} layers do not round to the trained weights, first {min(other)}"
        )


def _rounded_digest(
    stored: StoredWeights, tensor: str, config: RoundToNearest, trained: dict[str, Any]
) -> str:
    """The digest of a stored weight that is rounded as it was in training."""
    weight = stored.read(tensor)
    assert weight is not None  # its name is in the files
    return digest(round_to_nearest(weight, config.bits, trained["group"], symmetric=config.symmetric))
