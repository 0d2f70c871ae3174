"""Preference training without a reference model: ORPO, SimPO and CPO, with losses of their own.

They learn from pairs as ``method=dpo`` does, and keep no second model. The losses are about ten lines each
(``loss.py``); rows, tokens and the output layer are those of TRL's DPOTrainer. TRL has trainers for them
among its experiments: equal where they mean the same, and different where these follow the papers. ORPO's
likelihood is over the answer alone unless ``prompt_loss=true`` (TRL's is over the prompt too, as in the
authors' code), and SimPO has no likelihood (TRL's adds CPO's by default). A pair that does not fit into
``max_length`` is left out: a cut answer has another mean log-probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ptx import Choice, DataSet, Problem, RunConfig, hookimpl, setting
from ptx.lm.training.method import TrlMethod, above, at_least

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")
#: arguments of TRL's DPOConfig that mean nothing here, or that the settings below decide
OWNED = {
    **dict.fromkeys(("loss_type", "loss_weights", "label_smoothing", "ld_alpha", "use_weighting"), ""),
    **dict.fromkeys(("sync_ref_model", "f_divergence_type", "f_alpha_divergence_coef"), ""),
    "beta": "method.beta",
}


@dataclass
class Pairwise(TrlMethod):
    """What the three have in common."""

    needs: ClassVar[tuple[str, ...]] = ("pairs",)
    parallel: ClassVar[bool] = True

    max_length: int | None = setting(
        None,
        "longest prompt and answer in tokens; longer pairs are left out (default: 1024, or the model's"
        " context)",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_length is not None:
            above(0, self, "max_length", "512")


@dataclass
class ORPO(Pairwise):
    """Imitate the chosen answer, and raise its odds over those of the rejected one (Hong et al. 2024)."""

    learning_rate: float = setting(8e-6, "peak learning rate of AdamW; adapters need more")
    beta: float = setting(0.1, "weight of the odds ratio (lambda in the paper)")
    prompt_loss: bool = setting(
        False, "imitate the prompt too, as the authors' code and TRL do; the paper imitates the answer"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        above(0, self, "beta", "0.1")


@dataclass
class SimPO(Pairwise):
    """Prefer the answer with the higher mean log-probability by a margin (Meng et al. 2024)."""

    learning_rate: float = setting(
        1e-6, "peak learning rate of AdamW; the authors: 3e-7 to 1e-6, and 1e-5 spoils a large model"
    )
    beta: float = setting(2.0, "scale of the mean log-probabilities; the authors: 2 to 2.5, up to 10")
    gamma_ratio: float = setting(0.5, "the margin as a share of beta (gamma / beta), 0 to 1")

    def __post_init__(self) -> None:
        super().__post_init__()
        above(0, self, "beta", "2.0")
        at_least(0, self, "gamma_ratio", "0.5")


@dataclass
class CPO(Pairwise):
    """DPO with a uniform reference, beside the likelihood of the chosen answer (Xu et al. 2024)."""

    learning_rate: float = setting(1e-6, "peak learning rate of AdamW; adapters need more")
    beta: float = setting(0.1, "scale of the log-probabilities")
    nll_weight: float = setting(1.0, "weight of the chosen answer's mean negative log-likelihood")

    def __post_init__(self) -> None:
        super().__post_init__()
        above(0, self, "beta", "0.1")
        at_least(0, self, "nll_weight", "1.0")


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``method=orpo|simpo|cpo``."""
    kinds = (
        ("orpo", ORPO, "imitation and preference in one step, without a reference (odds ratio)"),
        ("simpo", SimPO, "preference by mean log-probability with a margin, without a reference"),
        ("cpo", CPO, "preference and likelihood, without a reference"),
    )
    return [
        Choice("method", name, kind, help_, LIBRARIES, calls="ptx_pairwise.train:train")
        for name, kind, help_ in kinds
    ]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Problems that are found before the model is loaded."""
    if not isinstance(config.method, Pairwise):
        return []
    from ptx.lm.training import validate

    return validate.problems(config, type(config.method).__name__.lower(), "DPOConfig", OWNED, model, data)
