"""Group relative policy optimisation (Shao et al. 2024), with TRL's GRPOTrainer.

It is reinforcement learning on answers that can be checked. For every prompt a group of answers is sampled
and scored; the advantage of an answer is its reward minus the mean of its group. Rewards come from scorers by
name, so any plugin with a scorer choice can supply one. The default loss is TRL's: DAPO's token-level loss
without a KL term (beta 0).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from ptx import Choice, DataSet, Problem, RunConfig, hookimpl, setting
from ptx.lm.training.memory import Passes
from ptx.lm.training.method import at_least, one_of
from ptx.lm.training.reinforced import Reinforced, check_groups
from ptx.models.memory import Workload

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")
LOSSES = ("dapo", "grpo", "dr_grpo", "bnpo", "cispo", "sapo", "luspo", "vespo")
#: arguments of TRL's GRPOConfig that the settings below decide
OWNED = {
    "num_generations": "method.num_generations",
    "max_completion_length": "method.max_completion_length",
    "temperature": "method.temperature",
    "beta": "method.beta",
    "loss_type": "method.loss",
    "reward_weights": "method.reward_weights",
    "generation_batch_size": "method.batch_size",
    "max_tool_calling_iterations": "method.environment.turns",
    "log_completions_hub_repo": "",
    "sync_ref_model": "",
}


@dataclass
class GRPO(Reinforced):
    """Reinforcement learning with rewards from scorers.

    ``batch_size`` counts sampled answers, not prompts.
    """

    acts: ClassVar[bool] = True

    batch_size: int = setting(
        32,
        "sampled answers per optimizer step: num_generations for each of batch_size / num_generations"
        " prompts",
    )
    num_generations: int = setting(8, "answers sampled per prompt: the group")
    beta: float = setting(0.0, "weight of the KL term against the step's input model; 0: no reference model")
    loss: str = setting("dapo", f"TRL's loss: {', '.join(LOSSES)}")

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(0, self, "beta", "0.0")
        one_of(LOSSES, self, "loss")
        check_groups(self)

    @property
    @override
    def compares_examples(self) -> bool:
        """Whether the loss is divided by the tokens of a pass."""
        return self.loss == "bnpo"

    @override
    def passes(self, work: Workload) -> Passes:
        """Prompts with sampled answers, and the original model beside the trained one for a KL term."""
        return replace(super().passes(work), copies=int(self.beta > 0 and self.lora is None))


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``method=grpo``."""
    help_ = "reinforcement learning with rewards from scorers"
    return [Choice("method", "grpo", GRPO, help_, LIBRARIES, version="2", calls="ptx_grpo.train:train")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Problems that are found before the model is loaded."""
    if not isinstance(config.method, GRPO):
        return []
    from ptx.lm.training import validate

    return validate.problems(config, "grpo", "GRPOConfig", OWNED, model, data)
