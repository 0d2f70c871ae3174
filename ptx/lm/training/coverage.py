"""What adapters reach.

In a mixture of experts most weights are no linear layers, and get none. In a state-space model some layers
cannot have one: the model reads their weight itself, so an adapter beside it would never be computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ptx.errors import Problem
from ptx.hooks.run import Run
from ptx.lm.matrices import EXPERTS, PLAIN, changeable, described, inventory, model_type
from ptx.models import inspection

if TYPE_CHECKING:
    from torch import nn

#: peft refuses an adapter on these layers of these models; ``dt_proj`` is never called
STATE_SPACE = ("mamba", "mamba2", "falcon_mamba", "falcon_h1", "nemotron_h")
WITHOUT_ADAPTER = ("out_proj", "conv1d", "dt_proj")


def adaptable_modules(model: Path) -> list[str]:
    """The last parts of the names of modules that adapters can be put on, as the loaded model names them.

    Files may use other names: those of experts, and of a mixture's router.
    """
    network = None if model_type(model) in PLAIN else described(model)
    if network is not None:
        return sorted(
            {name.rpartition(".")[2] for name, one in inventory(network).items() if one.role != EXPERTS}
        )
    stored = (tensor for file in inspection.weight_files(model) for tensor in inspection.tensors_of(file))
    return sorted({name.split(".")[-2] for name, _, size in stored if len(size) == 2})


def state_space_problems(targets: Sequence[str], model: Path) -> list[Problem]:
    """A problem if adapters would be put on layers of a state-space model that cannot have one."""
    kind = model_type(model)
    named = [target.rpartition(".")[2] for target in targets]
    if kind not in STATE_SPACE or not (targets == ["all-linear"] or {*named} & {*WITHOUT_ADAPTER}):
        return []
    network = described(model)
    every = {name.rpartition(".")[2] for name in changeable(network)} if network else {"in_proj", "x_proj"}
    fitting = ",".join(sorted(every - {*WITHOUT_ADAPTER}))
    return [
        Problem(
            f"{', '.join(WITHOUT_ADAPTER)} of {kind} cannot have an adapter: the model reads their weight"
            " itself",
            f"type method.lora.targets=[{fitting}]",
            fields=("method.lora.targets",),
        )
    ]


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
