"""Attention transfer: the relations among a student's queries, keys and values learn from the teacher's
(MiniLMv2, Wang et al. 2021).

Of both models the last layer is looked at, which is what the paper takes for teachers of up to 12 layers;
queries, keys and values are those before positions are rotated into them. The projections are found by their
names, ``...layers.3.self_attn.q_proj``, and noted by hooks whenever the model runs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ptx.errors import StepError
from ptx_distill.facts import KINDS, last_attention
from ptx_distill.loss import relation_gap, relation_heads


class Attention:
    """The last layers of a student and, once it is there, of its teacher."""

    def __init__(self, student: nn.Module, heads: int) -> None:
        self.wanted = heads
        self.own = Noted(student)
        self.teacher: nn.Module | None = None
        self.heads: dict[str, int] = {}

    def beside(self, teacher: nn.Module) -> None:
        """Note what ``teacher`` computes too; does nothing for one that is noted already."""
        if self.teacher is teacher:
            return
        self.teacher, self.theirs = teacher, Noted(teacher)
        try:
            self.heads = {
                kind: relation_heads(self.theirs.widths[kind], self.own.widths[kind], self.wanted)
                for kind in KINDS
            }
        except ValueError as error:
            raise StepError(f"method.relation_heads={self.wanted}: {error}") from error

    def gap(self) -> Tensor:
        """Mean over queries, keys and values of the distance between the relations of the last passes, (B,
        T).
        """
        own, theirs = self.own.take(), self.theirs.take()
        return torch.stack([relation_gap(theirs[kind], own[kind], self.heads[kind]) for kind in KINDS]).mean(
            dim=0
        )


class Noted:
    """What the last layer of a model computes as queries, keys and values, (B, T, D) each, from its last
    pass.
    """

    def __init__(self, network: nn.Module) -> None:
        found = last_attention(name for name, _ in network.named_modules())
        if not found:
            raise StepError(
                f"{type(network).__name__} has no self_attn.q_proj, k_proj and v_proj; try"
                " method.attention_weight=0"
            )
        self.seen: dict[str, Tensor] = {}
        self.widths: dict[str, int] = {}
        for kind, name in found.items():
            layer: Any = network.get_submodule(name)
            self.widths[kind] = int(layer.out_features)
            layer.register_forward_hook(self._noting(kind))

    def _noting(self, kind: str) -> Any:
        def note(_layer: nn.Module, _inputs: Any, made: Tensor) -> None:
            self.seen[kind] = made

        return note

    def take(self) -> dict[str, Tensor]:
        """The states of the last pass; they are not held any longer."""
        taken, self.seen = self.seen, {}
        return taken
