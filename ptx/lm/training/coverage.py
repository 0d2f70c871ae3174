"""What adapters reach: in a mixture of experts most weights are no linear layers, and get none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptx.hooks.run import Run
from ptx.lm.matrices import EXPERTS, changeable

if TYPE_CHECKING:
    from torch import nn


def say_coverage(run: Run, network: nn.Module) -> None:
    """Say which share of a mixture's weights the adapters of ``network`` can change."""
    matrices = {name: one for name, one in changeable(network).items() if "lora_" not in name}
    experts = [one for one in matrices.values() if one.role == EXPERTS]
    adapted = [one for name, one in matrices.items() if name.endswith(".base_layer")]
    if not experts or not adapted:
        return
    share = sum(one.numel for one in adapted) / sum(one.numel for one in matrices.values())
    run.say(
        f"the adapters are on {len(adapted)} of {len(matrices)} weight matrices ({share:.0%} of their"
        f" weights); {len(experts)} stacks of experts have none and stay as they are"
    )
