"""Direct preference optimisation (Rafailov et al. 2023) and related losses, with TRL's DPOTrainer.

It trains on pairs of a chosen and a rejected answer. The reference is the step's input model; with adapters
it is the trained model with its adapter switched off, so no second copy is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from ptx import Choice, DataSet, Problem, RunConfig, SettingError, hookimpl, setting
from ptx.lm.training.memory import Passes
from ptx.lm.training.method import above, one_of
from ptx.lm.training.referenced import Referenced
from ptx.models.memory import Workload

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")
#: TRL's names for losses on pairs
LOSSES = (
    *("sigmoid", "sigmoid_norm", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard"),
    *("aot", "aot_unpaired", "apo_zero", "apo_down", "discopop", "sft"),
)
#: losses that compare the pairs of one forward pass with each other
COMPARING = ("aot", "aot_unpaired", "bco_pair")
#: arguments of TRL's DPOConfig that the settings below decide
OWNED = {
    "beta": "method.beta",
    "loss_type": "method.loss",
    "loss_weights": "",
    "label_smoothing": "method.label_smoothing",
    "sync_ref_model": "",
}


@dataclass
class DPO(Referenced):
    """Preference training on pairs of a chosen and a rejected answer."""

    needs: ClassVar[tuple[str, ...]] = ("pairs",)
    parallel: ClassVar[bool] = True

    beta: float = setting(
        0.1, "penalty for leaving the reference: higher stays closer (for ipo: the paper's tau)"
    )
    loss: str = setting("sigmoid", f"TRL's loss: {', '.join(LOSSES)}")
    label_smoothing: float = setting(0.0, "estimated share of pairs with swapped labels (robust, exo_pair)")

    def __post_init__(self) -> None:
        super().__post_init__()
        above(0, self, "beta", "0.1")
        one_of(LOSSES, self, "loss")
        if not 0 <= self.label_smoothing < 0.5:
            raise SettingError(
                f"method.label_smoothing must lie in [0, 0.5), got {self.label_smoothing}; try"
                " method.label_smoothing=0.1",
                "method.label_smoothing",
            )
        if self.loss == "exo_pair" and not self.label_smoothing:
            raise SettingError(
                "method.loss=exo_pair needs label smoothing, got 0.0; try method.label_smoothing=0.001 (the"
                " paper's)",
                "method.loss",
                "method.label_smoothing",
            )

    @property
    @override
    def compares_examples(self) -> bool:
        """Whether the loss sorts or averages over the pairs of a pass."""
        return self.loss in COMPARING

    @override
    def passes(self, work: Workload) -> Passes:
        """Both answers of a pair, each with its prompt."""
        return Passes(self.length(work), rows=2, copies=self.copies)


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``method=dpo``."""
    help_ = "preference training on pairs of answers"
    return [Choice("method", "dpo", DPO, help_, LIBRARIES, version="2", calls="ptx_dpo.train:train")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Problems that are found before the model is loaded."""
    if not isinstance(config.method, DPO):
        return []
    from ptx.lm.training import validate

    return validate.problems(config, "dpo", "DPOConfig", OWNED, model, data)
