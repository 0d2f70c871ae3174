"""Kahneman-Tversky optimisation (Ethayarajh et al. 2024), with TRL's KTOTrainer.

It trains on single answers with a thumb up or down. The data layer splits pairs into such rows. They are
shuffled here, because TRL trains in the given order (its estimate of the KL term pairs neighbours), and split
pairs come in two blocks, all thumbs up first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from ptx import Choice, DataSet, Problem, RunConfig, SettingError, hookimpl, setting
from ptx.lm.training.memory import Passes
from ptx.lm.training.method import TrlMethod, above, at_least, one_of
from ptx.models.memory import Workload

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")
LOSSES = ("kto", "apo_zero_unpaired")
#: arguments of TRL's KTOConfig that the settings below decide
OWNED = {
    "beta": "method.beta",
    "loss_type": "method.loss",
    "desirable_weight": "method.desirable_weight",
    "undesirable_weight": "method.undesirable_weight",
    "train_sampling_strategy": "",
    "sync_ref_model": "",
}


@dataclass
class KTO(TrlMethod):
    """Preference training on single answers, each liked or disliked."""

    needs: ClassVar[tuple[str, ...]] = ("thumbs",)

    learning_rate: float = setting(
        1e-5, "peak learning rate of AdamW; large models need less (1e-6), adapters more"
    )
    max_length: int | None = setting(
        None, "cut prompt and answer to this many tokens (default: 1024, or the model's context)"
    )
    beta: float = setting(0.1, "penalty for leaving the reference: higher stays closer")
    loss: str = setting("kto", f"TRL's loss: {', '.join(LOSSES)}")
    desirable_weight: float = setting(1.0, "weight of liked answers; raise it where they are few")
    undesirable_weight: float = setting(1.0, "weight of disliked answers; raise it where they are few")
    reference: str = setting(
        "input",
        "the model to stay close to: input (that of the step), start (that of the run), an earlier step, or"
        " any model with the same tokens",
        identity=False,
    )
    cache_reference: bool = setting(
        True,
        "compute the reference once and keep it in the store; false: in every batch (the losses are the"
        " same to rounding, and to the last digit with speed=exact)",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        above(0, self, "beta", "0.1")
        one_of(LOSSES, self, "loss")
        at_least(0, self, "desirable_weight", "1.0")
        at_least(0, self, "undesirable_weight", "1.0")
        if self.max_length is not None:
            above(0, self, "max_length", "512")
        if self.loss == "kto" and self.shares()[0] < 2:
            raise SettingError(
                "method=kto needs two examples per forward pass (its KL term pairs neighbours), got"
                f" {self.shares()[0]}; try method.micro_batch=2, or"
                " method.loss=apo_zero_unpaired",
                "method.micro_batch",
                "method.loss",
            )

    @override
    def models(self, before: Mapping[str, Any]) -> dict[str, str]:
        return {} if self.reference == "input" else {"reference": self.reference}

    @property
    @override
    def compares_examples(self) -> bool:
        """Whether the KL term is estimated from the examples of a pass."""
        return self.loss == "kto"

    @override
    def passes(self, work: Workload) -> Passes:
        """An answer, and for the KL term the prompt with another answer, without gradients."""
        copies = 0 if self.cache_reference or self.lora is not None else 1
        return Passes(self.length(work), aside=int(self.loss == "kto"), copies=copies)


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``method=kto``."""
    help_ = "preference training on thumbs up and down"
    return [Choice("method", "kto", KTO, help_, LIBRARIES, calls="ptx_kto.train:train")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Problems that are found before the model is loaded."""
    if not isinstance(config.method, KTO):
        return []
    from ptx.lm.training import validate

    return validate.problems(config, "kto", "KTOConfig", OWNED, model, data)
