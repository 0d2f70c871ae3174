"""TRL's SFTTrainer with a distillation loss.

Rows, tokens and labels are those of SFT. The loss of every trained token is

    L = logits_weight T^2 D(p, q) + data_weight CE + features_weight H + attention_weight R

* D: the divergence between teacher p and student q at temperature T
* CE: the cross-entropy of the token in the data
* H: the distance between hidden states, averaged over the student's layers; layer m of M learns from layer
  m N / M of the teacher's N (TinyBERT's uniform map)
* R: the distance between the self-attention relations of both last layers (MiniLMv2) at the token before
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from trl import SFTTrainer

from ptx import ModelRef, Run
from ptx.lm.load import weights_of
from ptx_distill import loss
from ptx_distill.attention import Attention
from ptx_distill.facts import shape_of
from ptx_distill.settings import Distill
from ptx_distill.teacher import LiveTeacher, StoredTeacher, hidden_at, texts_of
from ptx_distill.topk import student_at, targets, teacher_at

if TYPE_CHECKING:
    from transformers.utils import ModelOutput

PROJECTIONS = "hint_projections"


class DistillTrainer(SFTTrainer):  # type: ignore[misc]
    """SFT with the loss of the module's docstring."""

    _name = "Distill"

    def __init__(self, *args: Any, run: Run, method: Distill, teacher: ModelRef, **options: Any) -> None:
        super().__init__(*args, **options)
        self.method = method
        config = self.model.config.get_text_config()
        shape = shape_of(weights_of(teacher.path))
        self.words = min(config.vocab_size, shape.words or config.vocab_size)
        self.teacher = LiveTeacher(run, teacher, self.words, method.top_k, method.speed)
        self.outputs: LiveTeacher | StoredTeacher = self.teacher
        if (
            method.logits_weight
            and method.cache_teacher
            and not method.needs_states
            and self._reads_most_rows(run)
        ):
            rows = (
                self.data_collator([row])
                for row in self.train_dataset.select_columns(["input_ids", "labels"])
            )
            self.outputs = StoredTeacher(self.teacher, (text for row in rows for text in texts_of(row)))
        self.layers = layer_map(config.num_hidden_layers, shape.layers)
        if method.features_weight and config.hidden_size != shape.width:
            self.model.add_module(
                PROJECTIONS,
                projections(len(self.layers), config.hidden_size, shape.width, run.seed).to(
                    self.model.device
                ),
            )
        self.attention = Attention(self.model, method.relation_heads) if method.attention_weight else None

    def _reads_most_rows(self, run: Run) -> bool:
        """Whether this training reads at least half of the rows.

        Otherwise the teacher runs in every batch, which is cheaper than running on all rows. The losses are
        the same.
        """
        rows, steps = len(self.train_dataset), self.args.max_steps
        seen = steps * self.method.batch_size if steps > 0 else self.args.num_train_epochs * rows
        if 2 * seen < rows:
            run.say(
                f"the teacher runs in every batch: this training reads {seen} of {rows} rows, too few to"
                " store the teacher's outputs for all of them"
            )
        return bool(2 * seen >= rows)

    def train(self, *args: Any, **options: Any) -> Any:
        """Train, then remove the projections, which are no part of the student."""
        done = super().train(*args, **options)  # type: ignore[no-untyped-call]
        if hasattr(self.model, PROJECTIONS):
            delattr(self.model, PROJECTIONS)
        return done

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """The loss L, summed over the trained tokens and divided by their number in the whole step."""
        read = {name: inputs[name] for name in ("input_ids", "attention_mask")} | {"use_cache": False}
        mask = inputs["labels"][:, 1:] != -100  # (B, T - 1)
        out = model(**read, output_hidden_states=bool(self.method.features_weight))
        teacher = self._run_teacher(read) if self.method.needs_states else None
        scores = out.logits[:, :-1][mask][:, : self.words]  # (N, V)
        parts: dict[str, tuple[float, Callable[[], Tensor]]] = {
            "divergence": (
                self.method.logits_weight,
                lambda: self._divergence(inputs, scores, mask, teacher),
            ),
            "data_loss": (
                self.method.data_weight,
                lambda: loss.imitation(scores, inputs["labels"][:, 1:][mask]),
            ),
            "hint_loss": (self.method.features_weight, lambda: self._hints(out, teacher, mask)),
            "relation_loss": (self.method.attention_weight, lambda: self._relations(mask)),
        }
        total = scores.new_zeros(len(scores), dtype=torch.float32)
        for name, (weight, value) in parts.items():
            if weight:
                found: Tensor = value()
                total = total + weight * found
                self._metrics["train"][name].append(found.mean().item() if len(found) else 0.0)
        self._log_counts(inputs, scores, mask)
        tokens = mask.sum() if num_items_in_batch is None else num_items_in_batch
        return total.sum() / torch.as_tensor(tokens).clamp(min=1)

    def _run_teacher(self, read: dict[str, Any]) -> ModelOutput:
        if self.attention is not None:
            self.attention.attach_teacher(self.teacher.network)
        with torch.no_grad():
            return self.teacher.network(**read, output_hidden_states=bool(self.method.features_weight))

    def _divergence(
        self, inputs: dict[str, Any], scores: Tensor, mask: Tensor, teacher: ModelOutput | None
    ) -> Tensor:
        """T^2 D, (N,).

        ``teacher`` is the output of the teacher on this batch if it was needed for hidden states, else None.
        """
        if teacher is None:
            found = self.outputs.targets(texts_of(inputs))
        else:
            found = targets(teacher.logits[:, :-1][mask][:, : self.words], self.method.top_k)
        temperature = self.method.temperature
        value = loss.divergence(
            self.method.divergence,
            teacher_at(found, temperature),
            student_at(scores, found, temperature),
            self.method.beta,
        )
        return loss.gradient_scale(temperature) * value

    def _hints(self, out: ModelOutput, teacher: ModelOutput | None, mask: Tensor) -> Tensor:
        """H, the mean over the student's layers, (N,)."""
        assert teacher is not None
        own, other = hidden_at(out.hidden_states, mask), hidden_at(teacher.hidden_states, mask)
        heads = getattr(self.accelerator.unwrap_model(self.model), PROJECTIONS, None)
        found = [
            loss.hint(own[mine], other[theirs], None if heads is None else heads[place])
            for place, (mine, theirs) in enumerate(self.layers)
        ]
        return torch.stack(found).mean(dim=0)

    def _relations(self, mask: Tensor) -> Tensor:
        """R, from the last passes of both models, (N,)."""
        assert self.attention is not None
        return self.attention.gap()[:, :-1][mask]

    def _log_counts(self, inputs: dict[str, Any], scores: Tensor, mask: Tensor) -> None:
        """Log what SFT logs beside the loss: accuracy and number of tokens."""
        right = (scores.argmax(dim=-1) == inputs["labels"][:, 1:][mask]).float()
        self._metrics["train"]["mean_token_accuracy"].append(right.mean().item() if len(right) else 0.0)
        self._total_train_tokens += int(inputs["attention_mask"].sum())
        self._metrics["train"]["num_tokens"] = [self._total_train_tokens]


def layer_map(student: int, teacher: int) -> list[tuple[int, int]]:
    """Pairs of hidden states (student, teacher): layer m of M with layer m N / M of N.

    Hidden states are counted as transformers does: 0 is the embeddings.
    """
    return [(layer, round(layer * teacher / student)) for layer in range(1, student + 1)]


def projections(count: int, width: int, teacher: int, seed: int) -> nn.ParameterList:
    """Linear maps (teacher, student) from the student's width to the teacher's, initialised as orthogonal.

    They are bare parameters, so that code that looks for the student's linear layers does not find them.
    """
    generator = torch.Generator().manual_seed(seed)
    return nn.ParameterList(
        nn.init.orthogonal_(torch.empty(teacher, width), generator=generator) for _ in range(count)
    )
