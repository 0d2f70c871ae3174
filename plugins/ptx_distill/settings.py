"""The ways to learn from a teacher, each a configuration. A training method and a compressor at once:
``method=distill`` and ``compress=[distill]`` are the same step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ptx import Compressor, SettingError, setting
from ptx.lm.training.method import TrlMethod, above, at_least, one_of

DIVERGENCES = ("forward_kl", "reverse_kl", "jsd")
COLDEST = 0.5  # ptx_distill.topk.COLDEST, which needs torch


@dataclass
class Taught(TrlMethod, Compressor):
    """What all of them share: who teaches whom."""

    needs: ClassVar[tuple[str, ...]] = ("messages", "completions", "text")

    learning_rate: float = setting(1e-4, "peak learning rate of AdamW; large students need less (2e-5)")
    teacher: str = setting(
        "",
        "whom to learn from: a model, folder or hub id, an earlier step, start or input (default: the model"
        " before this recipe first compressed)",
        identity=False,
    )
    student: str = setting(
        "", "who learns, named in the same way (default: the model that the step is given)", identity=False
    )
    layers: int | None = setting(
        None,
        "give the student so many of its layers, evenly chosen (default: half where it is its own teacher and"
        " trains through nothing, else all)",
    )
    keep_layers: list[int] = setting([], "give the student just these of its layers, counted from 0")

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
                f"method.keep_layers must rise from 0 on, got {self.keep_layers}; try"
                " method.keep_layers=[0,2,4]",
                "method.keep_layers",
            )

    def models(self, before: Mapping[str, Any]) -> dict[str, str]:
        """The teacher, and the student where it is not the step's input."""
        return {"teacher": self.teacher or uncompressed(before)} | (
            {"student": self.student} if self.student else {}
        )

    @property
    def reads_tokens(self) -> bool:
        """Whether the teacher is shown the student's tokens, so that both need the same vocabulary."""
        return True


def uncompressed(before: Mapping[str, Any]) -> str:
    """The model as it was before the first compression among the earlier steps; the step's own input where
    nothing was compressed.
    """
    names = list(before)
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
        True, "learn on the answers only; false: on all tokens. Plain text is always learnt from whole"
    )
    logits_weight: float = setting(
        1.0, "weight of the divergence between the distributions, times temperature^2"
    )
    divergence: str = setting("forward_kl", f"between teacher and student: {', '.join(DIVERGENCES)}")
    beta: float = setting(0.5, "of jsd: near 0 like forward_kl, near 1 like reverse_kl")
    temperature: float = setting(1.0, "both distributions are softened by it")
    data_weight: float = setting(0.0, "weight of the cross-entropy of the words in the data")
    features_weight: float = setting(
        0.0, "weight of the distance between hidden states (the teacher is then asked in every batch)"
    )
    attention_weight: float = setting(
        0.0, "weight of the distance between self-attention relations of the last layers (MiniLMv2)"
    )
    relation_heads: int = setting(
        0, "heads that queries, keys and values are cut into for it; 0: as many as leave 16 numbers to each"
    )
    top_k: int = setting(
        64, "the teacher's likeliest words that count one by one, the others count as one; 0: all one by one"
    )
    cache_teacher: bool = setting(
        True,
        "ask the teacher once and keep its answers in the store; false: ask it in every batch (same losses)",
        identity=False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = ("logits_weight", "data_weight", "features_weight", "attention_weight")
        for name in weights:
            at_least(0, self, name, "1")
        if not any(getattr(self, name) for name in weights):
            raise SettingError(
                f"method.{', '.join(weights[:-1])} and {weights[-1]} are all 0: nothing is learnt; try"
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
                f"method.temperature={self.temperature} is too cold for method.top_k={self.top_k}; try"
                " method.top_k=0",
                "method.temperature",
                "method.top_k",
            )
        if self.max_length is not None:
            above(0, self, "max_length", "512")

    @property
    def reads_tokens(self) -> bool:
        """Not where only the words of the data count."""
        return bool(self.logits_weight or self.looks_inside)

    @property
    def looks_inside(self) -> bool:
        """Whether the teacher is asked for more than its answers, which are all that is kept of it."""
        return bool(self.features_weight or self.attention_weight)


@dataclass
class Sequence(Distill):
    """Imitate whole answers that the teacher gives once (Kim & Rush 2016); they may be of another
    vocabulary.
    """

    needs: ClassVar[tuple[str, ...]] = ("prompts",)

    logits_weight: float = setting(
        0.0,
        "weight of the divergence between the distributions on the teacher's answers, times temperature^2",
    )
    data_weight: float = setting(1.0, "weight of the cross-entropy of the words that the teacher answered")
    max_new_tokens: int = setting(256, "tokens of an answer; one that is not finished by then is left out")
    sampling: float = setting(0.0, "temperature at which the teacher answers; 0: its likeliest words")

    def __post_init__(self) -> None:
        super().__post_init__()
        above(0, self, "max_new_tokens", "256")
        at_least(0, self, "sampling", "0.7")


@dataclass
class OnPolicy(Taught):
    """The student answers, the teacher judges every token of it (Agarwal et al. 2024; TRL's
    DistillationTrainer).
    """

    needs: ClassVar[tuple[str, ...]] = ("prompts",)

    learning_rate: float = setting(1e-5, "peak learning rate of AdamW; large students need less (1e-6)")
    beta: float = setting(
        1.0, "0: forward KL, 1: reverse KL, between them: the generalised Jensen-Shannon divergence"
    )
    temperature: float = setting(
        1.0, "at which the student samples, and by which both distributions are softened"
    )
    max_completion_length: int = setting(128, "tokens of an answer")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.beta <= 1:
            raise SettingError(
                f"method.beta must lie in [0, 1], got {self.beta}; try method.beta=1", "method.beta"
            )
        above(0, self, "temperature", "1")
        above(0, self, "max_completion_length", "128")


@dataclass
class Gold(Taught):
    """Learn from a teacher with another tokenizer (TRL's experimental GOLD: aligned spans, universal logit
    distillation).
    """

    needs: ClassVar[tuple[str, ...]] = ("messages",)

    max_length: int | None = setting(
        None, "cut examples to this many tokens (default: 1024, or the models' context where it is shorter)"
    )
    on_policy: float = setting(
        0.0,
        "share of the steps in which the student answers by itself, instead of reading the data's answers",
    )
    temperature: float = setting(1.0, "at which the student samples")
    max_completion_length: int = setting(128, "tokens of an answer that the student gives")
    data_weight: float = setting(0.0, "weight of the cross-entropy of the words in the data")

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
    def reads_tokens(self) -> bool:
        """Text is what both read."""
        return False
