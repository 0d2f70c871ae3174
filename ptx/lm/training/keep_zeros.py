"""Training a pruned model without refilling what was pruned: weights that came as exact zeros stay exact
zeros.

Healing after unstructured or n:m pruning would otherwise end with a dense model: AdamW moves every weight at
every step. The gradients of pruned weights are set to zero before they are clipped (a norm over weights that
cannot move would scale down the ones that can), and the weights themselves after every optimizer step,
whatever the optimizer has done. With adapters the base does not move; the product of the adapter is a dense
matrix, so its share at pruned weights is dropped when it is merged.

A model counts as pruned where at least PRUNED of a linear layer's weights are exact zeros: a dense layer has
next to none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import TrainerCallback

from ptx.errors import StepError
from ptx.hooks.run import Run
from ptx.lm.training.distributed import is_sharded

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

PRUNED = 0.01
Masks = dict[str, Tensor]  # name of a linear layer -> where its weight is to stay zero, bool, as the weight


def zero_masks(network: Any) -> Masks:
    """The exact zeros of every pruned linear layer but the output layer, by the layer's name; an adapter's
    own layers are not looked at.
    """
    output = network.get_output_embeddings()
    found = {}
    for name, layer in network.named_modules():
        if (
            not isinstance(layer, nn.Linear)
            or layer is output
            or "lora_" in name
            or not layer.weight.is_floating_point()
        ):
            continue
        zeros = layer.weight.detach() == 0
        if zeros.float().mean() >= PRUNED:
            found[name.removeprefix("base_model.model.").removesuffix(".base_layer")] = zeros
    return found


def blank(network: Any, masks: Masks) -> None:
    """Set the masked weights of ``network`` to zero again."""
    with torch.no_grad():
        for name, mask in masks.items():
            weight = network.get_submodule(name).weight
            weight.masked_fill_(mask.to(weight.device), 0)


def share(masks: Masks) -> float:
    """Zeros over all weights of the masked layers."""
    return float(
        sum(int(mask.sum()) for mask in masks.values()) / max(sum(mask.numel() for mask in masks.values()), 1)
    )


class KeepZeros(TrainerCallback):  # type: ignore[misc]
    """Holds ``masks`` while ``network`` is trained whole."""

    def __init__(self, network: Any, masks: Masks) -> None:
        self.network, self.masks = network, masks
        for name, mask in masks.items():
            weight = network.get_submodule(name).weight
            if weight.requires_grad:
                weight.register_hook(
                    lambda gradient, mask=mask: gradient.masked_fill(mask.to(gradient.device), 0)
                )

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Every optimizer step is followed by this."""
        blank(self.network, self.masks)


def hold(run: Run, trainer: Any) -> None:
    """Have ``trainer`` keep the zeros that its model came with; does nothing for a dense model."""
    network = trainer.accelerator.unwrap_model(trainer.model)
    masks = zero_masks(network)
    if not masks:
        return
    if is_sharded(trainer):
        raise StepError(
            "the pruned weights of a sharded model cannot be held at zero; try launch=torchrun, or"
            " method.keep_zeros=false"
        )
    what = f"{len(masks)} linear layers came pruned ({share(masks):.1%} zeros)"
    if hasattr(network, "merge_and_unload"):
        run.say(f"{what}: their zeros are set again when the adapter is merged")
        return
    run.say(f"{what}: their zeros are held (method.keep_zeros)")
    trainer.add_callback(KeepZeros(network, masks))
