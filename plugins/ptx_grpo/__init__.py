"""Group relative policy optimisation (Shao et al. 2024), with TRL's GRPOTrainer.

It is reinforcement learning on answers that can be checked. For every prompt a group of answers is sampled
and scored; the advantage of an answer is its reward minus the mean of its group. Rewards come from scorers by
name, so any plugin with a scorer choice can supply one. The default loss is TRL's: DAPO's token-level loss
without a KL term (beta 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from ptx import Choice, DataSet, Problem, RunConfig, SettingError, hookimpl, setting
from ptx.lm.training.method import TrlMethod, above, at_least, one_of

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
    "max_tool_calling_iterations": "",
    "log_completions_hub_repo": "",
    "sync_ref_model": "",
}


@dataclass
class GRPO(TrlMethod):
    """Reinforcement learning with rewards from scorers.

    ``batch_size`` counts sampled answers, not prompts.
    """

    needs: ClassVar[tuple[str, ...]] = ("prompts",)

    learning_rate: float = setting(
        1e-5, "peak learning rate of AdamW; large models need less (1e-6), adapters more"
    )
    batch_size: int = setting(
        32,
        "sampled answers per optimizer step: num_generations for each of batch_size / num_generations"
        " prompts",
    )
    rewards: list[str] = setting(
        ["answer"], "names of the scorers whose scores are the reward (scorer.NAME sets them up)"
    )
    reward_weights: list[float] | None = setting(None, "weight of each scorer; default: 1 each")
    num_generations: int = setting(8, "answers sampled per prompt: the group")
    max_completion_length: int = setting(256, "maximum length of a sampled answer, in tokens")
    temperature: float = setting(1.0, "sampling temperature")
    beta: float = setting(0.0, "weight of the KL term against the step's input model; 0: no reference model")
    loss: str = setting("dapo", f"TRL's loss: {', '.join(LOSSES)}")

    def __post_init__(self) -> None:
        super().__post_init__()
        above(0, self, "temperature", "1.0")
        above(0, self, "max_completion_length", "256")
        above(1, self, "num_generations", "8")
        at_least(0, self, "beta", "0.0")
        one_of(LOSSES, self, "loss")
        if self.batch_size % self.num_generations:
            near = max(self.batch_size // self.num_generations, 1) * self.num_generations
            raise SettingError(
                f"method.batch_size must be a multiple of method.num_generations={self.num_generations}, got"
                f" {self.batch_size}; try method.batch_size={near}",
                "method.batch_size",
                "method.num_generations",
            )
        if not self.rewards:
            raise SettingError(
                "method.rewards must name at least one scorer, got []; try method.rewards=[answer]",
                "method.rewards",
            )
        if self.reward_weights is not None and len(self.reward_weights) != len(self.rewards):
            raise SettingError(
                f"method.reward_weights must have one weight for each of {self.rewards}, got"
                f" {self.reward_weights}; try method.reward_weights={[1.0] * len(self.rewards)}",
                "method.reward_weights",
            )

    @override
    def scorers(self) -> list[str]:
        return self.rewards


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``method=grpo``."""
    help_ = "reinforcement learning with rewards from scorers"
    return [Choice("method", "grpo", GRPO, help_, LIBRARIES, calls="ptx_grpo.train:train")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Problems that are found before the model is loaded."""
    if not isinstance(config.method, GRPO):
        return []
    from ptx.lm.training import validate

    return validate.problems(config, "grpo", "GRPOConfig", OWNED, model, data)
