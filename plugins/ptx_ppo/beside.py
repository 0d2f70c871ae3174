"""A critic beside a policy with adapters: it trains adapters of its own and its head.

The Trainer sees the policy alone, so what it does for the policy's weights is done here for the critic's: a
parameter group, the clipping of gradients, setting them to zero, and a file in every checkpoint.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_

FILE = "critic.safetensors"


class Beside:
    """A critic with adapters (a PEFT model) that is no module of the policy."""

    def __init__(self, critic: Any) -> None:
        self.critic = critic

    @property
    def trained(self) -> dict[str, torch.nn.Parameter]:
        """The adapters and the head."""
        return {name: one for name, one in self.critic.named_parameters() if one.requires_grad}

    def train_with(self, optimizer: Any, rate: float, most: float | None) -> None:
        """Let an optimizer train it at its own rate, with gradients of at most ``most`` (None: any)."""
        weights = list(self.trained.values())
        rest = {name: value for name, value in optimizer.param_groups[0].items() if name != "params"}
        optimizer.add_param_group({**rest, "params": weights, "lr": rate, "initial_lr": rate})

        def clip(*_: Any) -> None:
            if most:
                clip_grad_norm_(weights, most)

        def forget(*_: Any) -> None:
            for one in weights:
                one.grad = None

        optimizer.register_step_pre_hook(clip)
        optimizer.register_step_post_hook(forget)

    def save(self, folder: Path) -> None:
        """Write what is trained into a checkpoint."""
        from safetensors.torch import save_file

        save_file(
            {name: one.detach().cpu().contiguous() for name, one in self.trained.items()}, folder / FILE
        )

    def load(self, folder: Path) -> None:
        """Read it from a checkpoint."""
        from safetensors.torch import load_file

        kept = load_file(folder / FILE)
        with torch.no_grad():
            for name, one in self.trained.items():
                one.copy_(kept[name])

    def merged(self) -> Any:
        """The critic with its adapters in its weights."""
        return self.critic.merge_and_unload()
