"""Train a pruned model without refilling it: weights that are exact zeros at the start stay exact zeros.

Without this, training after unstructured or n:m pruning would end with a dense model, because AdamW changes
every weight at every step. The gradients of pruned weights are set to zero before the clipping (weights that
stay fixed must not enlarge the norm by which the others are scaled down). The weights themselves are set to
zero after every optimizer step, whatever the optimizer has done. With adapters the base does not change; the
product of the adapter's matrices is dense, so its values at pruned weights are dropped when it is merged.

A weight matrix counts as pruned when at least the fraction PRUNED of its weights are exact zeros; a dense
one has almost none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import TrainerCallback

from ptx.errors import StepError
from ptx.hooks.run import Run
from ptx.lm.matrices import changeable
from ptx.lm.training.distributed import is_sharded

if TYPE_CHECKING:
    from transformers import PreTrainedModel, Trainer, TrainerControl, TrainerState, TrainingArguments

PRUNED = 0.01
Masks = dict[str, Tensor]  # name of a weight matrix -> bool, of its shape: True where it stays zero


def zero_masks(network: PreTrainedModel) -> Masks:
    """The exact zeros of every pruned weight matrix, by the parameter's name.

    The output layer and the layers of an adapter are left out.
    """
    found = {}
    for name, matrix in changeable(network).items():
        if "lora_" in name or not matrix.weight.is_floating_point():
            continue
        zeros = matrix.weight.detach() == 0
        if zeros.float().mean() >= PRUNED:
            found[matrix.parameter.removeprefix("base_model.model.").replace(".base_layer.", ".")] = zeros
    return found


def set_masked_to_zero(network: nn.Module, masks: Masks) -> None:
    """Set the masked weights of ``network`` to zero in place."""
    with torch.no_grad():
        for name, mask in masks.items():
            weight = network.get_parameter(name)
            weight.masked_fill_(mask.to(weight.device), 0)


def masked_share(masks: Masks) -> float:
    """The fraction of masked weights over all weights of the masked layers."""
    return float(
        sum(int(mask.sum()) for mask in masks.values()) / max(sum(mask.numel() for mask in masks.values()), 1)
    )


class KeepZeros(TrainerCallback):  # type: ignore[misc]
    """Keeps the weights in ``masks`` at zero while all weights of ``network`` are trained."""

    def __init__(self, network: nn.Module, masks: Masks) -> None:
        self.network, self.masks = network, masks
        for name, mask in masks.items():
            weight = network.get_parameter(name)
            if weight.requires_grad:
                weight.register_hook(
                    lambda gradient, mask=mask: gradient.masked_fill(mask.to(gradient.device), 0)
                )

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Set the masked weights to zero after every optimizer step."""
        set_masked_to_zero(self.network, self.masks)


def add_keep_zeros(run: Run, trainer: Trainer) -> None:
    """Let ``trainer`` keep the zeros of its model; does nothing for a dense model.

    Raises:
        StepError: the model is pruned and sharded.
    """
    network = trainer.accelerator.unwrap_model(trainer.model)
    masks = zero_masks(network)
    if not masks:
        return
    if is_sharded(trainer):
        raise StepError(
            "the pruned weights of a sharded model cannot be kept at zero; try launch=torchrun, or"
            " method.keep_zeros=false"
        )
    what = f"{len(masks)} weight matrices are pruned ({masked_share(masks):.1%} zeros)"
    if hasattr(network, "merge_and_unload"):
        run.say(f"{what}: their zeros are restored when the adapter is merged")
        return
    run.say(f"{what}: their zeros stay zero (method.keep_zeros)")
    trainer.add_callback(KeepZeros(network, masks))
