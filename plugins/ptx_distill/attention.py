"""Attention transfer by self-attention relations (MiniLMv2, Wang et al. 2021).

The relations among the student's queries, keys and values learn from the teacher's. The last layer of both
models is used, as in the paper for teachers of up to 12 layers; queries, keys and values are taken before the
rotary position embedding. The projections are found by their names, ``...layers.3.self_attn.q_proj``, and
forward hooks record their outputs whenever the model runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ptx import StepError
from ptx_distill.facts import KINDS, last_attention
from ptx_distill.loss import relation_gap, relation_heads


class Attention:
    """The outputs of the last attention layers of a student and of its teacher.

    ``heads`` is the wanted number of relation heads, 0 to choose it. The teacher is added later by
    :meth:`attach_teacher`, because it is loaded only when it is first needed.
    """

    def __init__(self, student: nn.Module, heads: int) -> None:
        self.wanted = heads
        self.student_states = Recorder(student)
        self.teacher: nn.Module | None = None
        self.heads: dict[str, int] = {}

    def attach_teacher(self, teacher: nn.Module) -> None:
        """Record the teacher's outputs too; does nothing for a teacher that is attached already.

        Raises:
            StepError: the wanted number of relation heads does not divide the widths of both models.
        """
        if self.teacher is teacher:
            return
        self.teacher, self.teacher_states = teacher, Recorder(teacher)
        try:
            self.heads = {
                kind: relation_heads(
                    self.teacher_states.widths[kind], self.student_states.widths[kind], self.wanted
                )
                for kind in KINDS
            }
        except ValueError as error:
            raise StepError(f"method.relation_heads={self.wanted}: {error}") from error

    def gap(self) -> Tensor:
        """Distance between the relations in the last forward passes of both models, (B, T).

        It is the mean over queries, keys and values.
        """
        own, other = self.student_states.take(), self.teacher_states.take()
        gaps = [relation_gap(other[kind], own[kind], self.heads[kind]) for kind in KINDS]
        return torch.stack(gaps).mean(dim=0)


class Recorder:
    """The queries, keys and values, (B, T, D) each, of a model's last layer in its last forward pass.

    Raises:
        StepError: the model has no projections with these names.
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
            layer.register_forward_hook(self._hook(kind))

    def _hook(self, kind: str) -> Callable[[nn.Module, tuple[object, ...], Tensor], None]:
        def record(_layer: nn.Module, _inputs: tuple[object, ...], output: Tensor) -> None:
            self.seen[kind] = output

        return record

    def take(self) -> dict[str, Tensor]:
        """Return the states of the last pass and release them."""
        taken, self.seen = self.seen, {}
        return taken
