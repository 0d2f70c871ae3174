"""Group relative policy optimisation (Shao et al. 2024): reinforcement learning on answers that can be
checked (TRL's GRPOTrainer).

For every prompt a group of answers is sampled and scored; an answer's advantage is its reward against its
group's mean. Rewards come from scorers by name, so any plugin with a scorer choice can supply one. The loss
is TRL's default, DAPO's token-level one, without a KL term (beta 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ptx import Choice, DataSet, Method, ModelRef, Problem, Run, RunConfig, hookimpl, setting
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
    """Reinforcement learning with rewards from scorers; ``batch_size`` counts sampled answers, not
    prompts.
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
    max_completion_length: int = setting(256, "longest answer that is sampled, in tokens")
    temperature: float = setting(1.0, "of sampling")
    beta: float = setting(0.0, "weight of the KL term against the model as it came; 0 needs no reference")
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
            raise ValueError(
                f"method.batch_size must be a multiple of method.num_generations={self.num_generations}, got"
                f" {self.batch_size}; try method.batch_size={near}"
            )
        if not self.rewards:
            raise ValueError(
                "method.rewards must name at least one scorer, got []; try method.rewards=[answer]"
            )
        if self.reward_weights is not None and len(self.reward_weights) != len(self.rewards):
            raise ValueError(
                f"method.reward_weights must have one weight for each of {self.rewards}, got"
                f" {self.reward_weights}; try method.reward_weights={[1.0] * len(self.rewards)}"
            )

    def scorers(self) -> list[str]:
        """The scorers that the rewards come from."""
        return self.rewards


@hookimpl
def ptx_choices() -> list[Choice]:
    """``method=grpo``."""
    return [Choice("method", "grpo", GRPO, "reinforcement learning with rewards from scorers", LIBRARIES)]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """What is wrong before a weight is loaded."""
    if not isinstance(config.method, GRPO):
        return []
    from ptx.lm.training import validate

    return validate.problems(config, "grpo", "GRPOConfig", OWNED, model, data)


@hookimpl
def ptx_train(run: Run, method: Method, model: ModelRef, data: DataSet) -> ModelRef | None:
    """Train with TRL's GRPOTrainer."""
    if not isinstance(method, GRPO):
        return None
    from ptx_grpo.train import train

    return train(run, method, model, data)
