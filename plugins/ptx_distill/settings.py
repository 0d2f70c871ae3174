"""The configurations of distillation.

Each is a training method and a compressor at once: ``method=distill`` and ``compress=[distill]`` are the same
step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from typing_extensions import override

from ptx import Compressor, SettingError, setting
from ptx.lm.training.memory import Passes
from ptx.lm.training.method import TrlMethod, above, at_least, one_of
from ptx.models.memory import Workload

DIVERGENCES = ("forward_kl", "reverse_kl", "jsd")
COLDEST = 0.5  # ptx_distill.topk.COLDEST, which needs torch


@dataclass
class Taught(TrlMethod, Compressor):
    """The common settings of all kinds of distillation: which model teaches which."""

    needs: ClassVar[tuple[str, ...]] = ("messages", "completions", "text")

    learning_rate: float = setting(1e-4, "peak learning rate of AdamW; large students need less (2e-5)")
    teacher: str = setting(
        "",
        "the teacher: a model, folder or hub id, an earlier step, start or input (default: the model before"
        " the first compression of this recipe)",
        identity=False,
    )
    student: str = setting(
        "", "the student, named in the same way (default: the step's input model)", identity=False
    )
    layers: int | None = setting(
        None,
        "number of layers of the student, chosen evenly (default: half where the student is its own teacher"
        " and there is no qat, else all)",
    )
    keep_layers: list[int] = setting([], "keep just these layers of the student, counted from 0")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layers is not None:
            above(0, self, "layers", "6")
        if self.layers is not None and self.keep_layers:
            raise SettingError(
                f"method.layers={self.layers} and method.keep_layers={self.keep_layers} are both given; leave"
                " one out",
                "method.layers",
                "method.keep_layers",
            )
        if any(layer < 0 for layer in self.keep_layers) or sorted(set(self.keep_layers)) != self.keep_layers:
            raise SettingError(
                f"method.keep_layers must be different numbers from 0 on in ascending order, got"
                f" {self.keep_layers}; try method.keep_layers=[0,2,4]",
                "method.keep_layers",
            )

    @override
    def models(self, before: Mapping[str, Any]) -> dict[str, str]:
        """The names of the teacher, and of the student where it is not the step's input."""
        return {"teacher": self.teacher or name_before_compression(before)} | (
            {"student": self.student} if self.student else {}
        )

    @property
    def reads_tokens(self) -> bool:
        """Whether the teacher is shown the student's tokens, so that both need the same vocabulary."""
        return True


def name_before_compression(before: Mapping[str, Any]) -> str:
    """The name of the model before the first compression among the earlier steps.

    It is the step's own input where nothing was compressed.
    """
    names = [name for name, step in before.items() if step.makes == "model"]
    first = next((place for place, name in enumerate(names) if isinstance(before[name], Compressor)), None)
    if first is None:
        return "input"
    return names[first - 1] if first else "start"


@dataclass
class Distill(Taught):
    """Learn the teacher's distribution over the next token, and its hidden states, on given texts."""

    max_length: int | None = setting(
        None, "cut examples to this many tokens (default: 1024, or the models' context where it is shorter)"
    )
    assistant_only: bool = setting(
        True, "learn from the answers only; false: from all tokens. Plain text is always used in full"
    )
    logits_weight: float = setting(
        1.0, "weight of the divergence between the distributions, times temperature^2"
    )
    divergence: str = setting("forward_kl", f"between teacher and student: {', '.join(DIVERGENCES)}")
    beta: float = setting(0.5, "weight in jsd: near 0 like forward_kl, near 1 like reverse_kl")
    temperature: float = setting(1.0, "temperature that softens both distributions")
    data_weight: float = setting(0.0, "weight of the cross-entropy of the tokens in the data")
    features_weight: float = setting(
        0.0, "weight of the distance between hidden states (the teacher then runs in every batch)"
    )
    attention_weight: float = setting(
        0.0, "weight of the distance between self-attention relations of the last layers (MiniLMv2)"
    )
    relation_heads: int = setting(
        0, "number of heads for attention_weight; 0: as many as leave 16 dimensions to each"
    )
    top_k: int = setting(
        64, "keep the teacher's k likeliest tokens and the sum of all others; 0: keep all tokens"
    )
    cache_teacher: bool = setting(
        True,
        "run the teacher once and keep its outputs in the store; false: in every batch (the losses are the"
        " same to rounding, and to the last digit with speed=exact)",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = ("logits_weight", "data_weight", "features_weight", "attention_weight")
        for name in weights:
            at_least(0, self, name, "1")
        if not any(getattr(self, name) for name in weights):
            raise SettingError(
                f"method.{', '.join(weights[:-1])} and {weights[-1]} are all 0, so there is no loss; try"
                " method.logits_weight=1",
                "method.logits_weight",
            )
        one_of(DIVERGENCES, self, "divergence")
        above(0, self, "temperature", "2")
        at_least(0, self, "relation_heads", "12")
        at_least(0, self, "top_k", "64")
        if not 0 < self.beta < 1:
            instead = "forward_kl" if self.beta <= 0 else "reverse_kl"
            raise SettingError(
                f"method.beta must lie between 0 and 1, got {self.beta}; try method.divergence={instead}",
                "method.beta",
                "method.divergence",
            )
        if self.top_k and self.temperature < COLDEST:
            raise SettingError(
                f"method.temperature={self.temperature} is too low for method.top_k={self.top_k}; try"
                " method.top_k=0",
                "method.temperature",
                "method.top_k",
            )
        if self.max_length is not None:
            above(0, self, "max_length", "512")

    @property
    @override
    def reads_tokens(self) -> bool:
        """Whether any loss but that of the data counts."""
        return bool(self.logits_weight or self.needs_states)

    @override
    def passes(self, work: Workload) -> Passes:
        """An example whose logits are there as a whole: the model's, in float32, softmax, gradients."""
        return Passes(self.length(work), logits=4)

    @property
    def needs_states(self) -> bool:
        """Whether the loss needs the teacher's hidden states, which are never stored, unlike its outputs."""
        return bool(self.features_weight or self.attention_weight)


@dataclass
class Sequence(Distill):
    """Imitate whole answers that the teacher generates once (Kim & Rush 2016).

    With the default weights the teacher may have another vocabulary.
    """

    needs: ClassVar[tuple[str, ...]] = ("prompts",)

    logits_weight: float = setting(
        0.0,
        "weight of the divergence between the distributions on the teacher's answers, times temperature^2",
    )
    data_weight: float = setting(1.0, "weight of the cross-entropy of the teacher's answers")
    max_new_tokens: int = setting(
        256, "maximum tokens of an answer; an answer that is not finished by then is left out"
    )
    sampling: float = setting(0.0, "sampling temperature of the teacher's answers; 0: greedy decoding")

    def __post_init__(self) -> None:
        super().__post_init__()
        above(0, self, "max_new_tokens", "256")
        at_least(0, self, "sampling", "0.7")


@dataclass
class OnPolicy(Taught):
    """The student answers, the teacher scores every token (Agarwal et al. 2024; DistillationTrainer)."""

    needs: ClassVar[tuple[str, ...]] = ("prompts",)

    learning_rate: float = setting(1e-5, "peak learning rate of AdamW; large students need less (1e-6)")
    beta: float = setting(
        1.0, "0: forward KL, 1: reverse KL, between them: the generalised Jensen-Shannon divergence"
    )
    temperature: float = setting(
        1.0, "temperature at which the student samples, and which softens both distributions"
    )
    max_completion_length: int = setting(128, "maximum tokens of an answer")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.beta <= 1:
            raise SettingError(
                f"method.beta must lie in [0, 1], got {self.beta}; try method.beta=1", "method.beta"
            )
        above(0, self, "temperature", "1")
        above(0, self, "max_completion_length", "128")

    @property
    @override
    def generates(self) -> bool:
        return True


@dataclass
class Gold(Taught):
    """Learn from a teacher with another tokenizer (TRL's experimental GOLD).

    GOLD aligns spans of text and compares sorted probabilities (universal logit distillation).
    """

    needs: ClassVar[tuple[str, ...]] = ("messages",)

    max_length: int | None = setting(
        None, "cut examples to this many tokens (default: 1024, or the models' context where it is shorter)"
    )
    on_policy: float = setting(
        0.0,
        "share of the steps in which the student generates the answers; others use the data's",
    )
    temperature: float = setting(1.0, "temperature at which the student samples")
    max_completion_length: int = setting(128, "maximum tokens of an answer that the student generates")
    data_weight: float = setting(0.0, "weight of the cross-entropy of the tokens in the data")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.on_policy <= 1:
            raise SettingError(
                f"method.on_policy must lie in [0, 1], got {self.on_policy}; try method.on_policy=0.5",
                "method.on_policy",
            )
        above(0, self, "temperature", "1")
        at_least(0, self, "data_weight", "0.5")
        above(0, self, "max_completion_length", "128")
        if self.max_length is not None:
            above(0, self, "max_length", "512")

    @property
    @override
    def generates(self) -> bool:
        return self.on_policy > 0

    @property
    @override
    def reads_tokens(self) -> bool:
        """False: both models read the text with their own tokenizers."""
        return False
