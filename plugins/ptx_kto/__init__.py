"""Kahneman-Tversky optimisation (Ethayarajh et al. 2024), with TRL's KTOTrainer.

It trains on single answers with a thumb up or down. The data layer splits pairs into such rows. They are
shuffled here, because TRL trains in the given order (its estimate of the KL term pairs neighbours), and split
pairs come in two blocks, all thumbs up first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from ptx import Choice, DataSet, Problem, RunConfig, SettingError, hookimpl, setting
from ptx.lm.training.memory import Passes
from ptx.lm.training.method import above, at_least, one_of
from ptx.lm.training.referenced import Referenced
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
class KTO(Referenced):
    """Preference training on single answers, each liked or disliked."""

    needs: ClassVar[tuple[str, ...]] = ("thumbs",)

    beta: float = setting(0.1, "penalty for leaving the reference: higher stays closer")
    loss: str = setting("kto", f"TRL's loss: {', '.join(LOSSES)}")
    desirable_weight: float = setting(1.0, "weight of liked answers; raise it where they are few")
    undesirable_weight: float = setting(1.0, "weight of disliked answers; raise it where they are few")

    def __post_init__(self) -> None:
        super().__post_init__()
        above(0, self, "beta", "0.1")
        one_of(LOSSES, self, "loss")
        at_least(0, self, "desirable_weight", "1.0")
        at_least(0, self, "undesirable_weight", "1.0")
        if self.loss == "kto" and self.shares()[0] < 2:
            raise SettingError(
                "method=kto needs two examples per forward pass (its KL term pairs neighbours), got"
                f" {self.shares()[0]}; try method.micro_batch=2, or"
                " method.loss=apo_zero_unpaired",
                "method.micro_batch",
                "method.loss",
            )

    @property
    @override
    def compares_examples(self) -> bool:
        """Whether the KL term is estimated from the examples of a pass."""
        return self.loss == "kto"

    @override
    def passes(self, work: Workload) -> Passes:
        """An answer, and for the KL term the prompt with another answer, without gradients."""
        return Passes(self.length(work), aside=int(self.loss == "kto"), copies=self.copies)


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``method=kto``."""
    help_ = "preference training on thumbs up and down"
    return [Choice("method", "kto", KTO, help_, LIBRARIES, version="2", calls="ptx_kto.train:train")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Problems that are found before the model is loaded."""
    if not isinstance(config.method, KTO):
        return []
    from ptx.lm.training import validate

    return validate.problems(config, "kto", "KTOConfig", OWNED, model, data)
