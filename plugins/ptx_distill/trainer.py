"""TRL's SFTTrainer with another loss: its rows, tokens and labels, and what the teacher says in place of what
the data says.

    L = logits_weight T^2 D(p, q) + data_weight CE + features_weight H + attention_weight R

per learnt token: D the divergence between teacher and student at temperature T, CE the cross-entropy of the
word in the data, H the mean over the student's layers of the distance between hidden states, layer m of M
learning from layer m N / M of the teacher's N (TinyBERT's uniform map), R the distance between the
self-attention relations of both last layers (MiniLMv2), at the token that the learnt one follows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from trl import SFTTrainer

from ptx import ModelRef, Run
from ptx.lm.load import weights_of
from ptx_distill import loss
from ptx_distill.attention import Attention
from ptx_distill.facts import shape_of
from ptx_distill.settings import Distill
from ptx_distill.teacher import Asked, Stored, hidden_at, texts_of
from ptx_distill.topk import student_at, targets, teacher_at

PROJECTIONS = "hint_projections"


class DistillTrainer(SFTTrainer):  # type: ignore[misc]
    """SFT on what a teacher says."""

    _name = "Distill"

    def __init__(self, *args: Any, run: Run, method: Distill, teacher: ModelRef, **options: Any) -> None:
        super().__init__(*args, **options)
        self.how = method
        config = self.model.config.get_text_config()
        shape = shape_of(weights_of(teacher.path))
        self.words = min(config.vocab_size, shape.words or config.vocab_size)
        self.asked = Asked(run, teacher, self.words, method.top_k)
        self.answers: Asked | Stored = self.asked
        if (
            method.logits_weight
            and method.cache_teacher
            and not method.looks_inside
            and self._reads_most(run)
        ):
            rows = (
                self.data_collator([row])
                for row in self.train_dataset.select_columns(["input_ids", "labels"])
            )
            self.answers = Stored(self.asked, (text for row in rows for text in texts_of(row)))
        self.layers = layer_map(config.num_hidden_layers, shape.layers)
        if method.features_weight and config.hidden_size != shape.width:
            self.model.add_module(
                PROJECTIONS,
                projections(len(self.layers), config.hidden_size, shape.width, run.seed).to(
                    self.model.device
                ),
            )

        self.attention = Attention(self.model, method.relation_heads) if method.attention_weight else None

    def _reads_most(self, run: Run) -> bool:
        """Whether asking about all rows is worth it; a short training on much data asks about what it sees.
        The losses are the same.
        """
        rows, steps = len(self.train_dataset), self.args.max_steps
        seen = steps * self.how.batch_size if steps > 0 else self.args.num_train_epochs * rows
        if 2 * seen < rows:
            run.say(
                f"the teacher is asked in every batch: this training sees {seen} of {rows} rows, too few for"
                " asking about all of them once"
            )
        return bool(2 * seen >= rows)

    def train(self, *args: Any, **options: Any) -> Any:
        """Train; the projections have served then, and are no part of the student."""
        done = super().train(*args, **options)  # type: ignore[no-untyped-call]
        if hasattr(self.model, PROJECTIONS):
            delattr(self.model, PROJECTIONS)
        return done

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """L of the module's first lines, summed over the learnt tokens and divided by their number in the
        whole step.
        """
        read = {name: inputs[name] for name in ("input_ids", "attention_mask")} | {"use_cache": False}
        mask = inputs["labels"][:, 1:] != -100  # (B, T - 1)
        out = model(**read, output_hidden_states=bool(self.how.features_weight))
        teacher = self._teacher(read) if self.how.looks_inside else None
        scores = out.logits[:, :-1][mask][:, : self.words]  # (N, V)
        parts: dict[str, tuple[float, Callable[[], Tensor]]] = {
            "divergence": (self.how.logits_weight, lambda: self._divergence(inputs, scores, mask, teacher)),
            "data_loss": (
                self.how.data_weight,
                lambda: loss.imitation(scores, inputs["labels"][:, 1:][mask]),
            ),
            "hint_loss": (self.how.features_weight, lambda: self._hints(out, teacher, mask)),
            "relation_loss": (self.how.attention_weight, lambda: self._relations(mask)),
        }
        total = scores.new_zeros(len(scores), dtype=torch.float32)
        for name, (weight, value) in parts.items():
            if weight:
                found: Tensor = value()
                total = total + weight * found
                self._metrics["train"][name].append(found.mean().item() if len(found) else 0.0)
        self._count(inputs, scores, mask)
        tokens = mask.sum() if num_items_in_batch is None else num_items_in_batch
        return total.sum() / torch.as_tensor(tokens).clamp(min=1)

    def _teacher(self, read: dict[str, Any]) -> Any:
        if self.attention is not None:
            self.attention.beside(self.asked.network)
        with torch.no_grad():
            return self.asked.network(**read, output_hidden_states=bool(self.how.features_weight))

    def _divergence(self, inputs: dict[str, Any], scores: Tensor, mask: Tensor, teacher: Any) -> Tensor:
        """T^2 D, (N,). A teacher that is asked for its hidden states anyway says its scores in the same
        breath.
        """
        if teacher is None:
            found = self.answers.targets(texts_of(inputs))
        else:
            found = targets(teacher.logits[:, :-1][mask][:, : self.words], self.how.top_k)
        heat = self.how.temperature
        value = loss.divergence(
            self.how.divergence, teacher_at(found, heat), student_at(scores, found, heat), self.how.beta
        )
        return loss.gradient_scale(heat) * value

    def _hints(self, out: Any, teacher: Any, mask: Tensor) -> Tensor:
        """Mean over the layers, (N,)."""
        own, other = hidden_at(out.hidden_states, mask), hidden_at(teacher.hidden_states, mask)
        heads = getattr(self.accelerator.unwrap_model(self.model), PROJECTIONS, None)
        found = [
            loss.hint(own[mine], other[theirs], None if heads is None else heads[place])
            for place, (mine, theirs) in enumerate(self.layers)
        ]
        return torch.stack(found).mean(dim=0)

    def _relations(self, mask: Tensor) -> Tensor:
        """R of both models' last passes, (N,)."""
        assert self.attention is not None
        return self.attention.gap()[:, :-1][mask]

    def _count(self, inputs: dict[str, Any], scores: Tensor, mask: Tensor) -> None:
        """What SFT logs beside the loss."""
        right = (scores.argmax(dim=-1) == inputs["labels"][:, 1:][mask]).float()
        self._metrics["train"]["mean_token_accuracy"].append(right.mean().item() if len(right) else 0.0)
        self._total_train_tokens += int(inputs["attention_mask"].sum())
        self._metrics["train"]["num_tokens"] = [self._total_train_tokens]


def layer_map(student: int, teacher: int) -> list[tuple[int, int]]:
    """Pairs of hidden states, counted as transformers does (0 are the embeddings): layer m of M with layer m
    N / M of N.
    """
    return [(layer, round(layer * teacher / student)) for layer in range(1, student + 1)]


def projections(count: int, width: int, teacher: int, seed: int) -> nn.ParameterList:
    """Linear maps (teacher, student) from the student's width to the teacher's, begun as parts of rotations.

    No layers: what looks for the linear layers of the student does not find them.
    """
    generator = torch.Generator().manual_seed(seed)
    return nn.ParameterList(
        nn.init.orthogonal_(torch.empty(teacher, width), generator=generator) for _ in range(count)
    )
