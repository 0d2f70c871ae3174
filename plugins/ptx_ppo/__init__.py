"""Proximal policy optimisation with a critic (Schulman et al. 2017; Ouyang et al. 2022).

Answers are sampled and scored. A critic, a model of the same size, predicts what is still to come at every
token; the advantage of a token is what came beyond that (GAE, Schulman et al. 2016). The KL divergence from
the step's input model is taken out of the reward, token by token. TRL has removed its PPO; this is a thin
subclass of its GRPOTrainer, which takes advantages by token. Look at ``reward``, ``kl`` and
``explained_variance``: with whitened advantages the reward may rise while the critic predicts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from ptx import Choice, ConfigError, DataSet, Problem, RunConfig, SettingError, hookimpl, setting
from ptx.lm.training.memory import Passes
from ptx.lm.training.method import above, at_least
from ptx.lm.training.reinforced import Reinforced
from ptx.models.memory import Workload

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")
GENERATIONS = 2  # TRL's least; the group has no meaning here
#: arguments of TRL's GRPOConfig that the settings below decide, or that mean nothing with a critic
OWNED = {
    "max_completion_length": "method.max_completion_length",
    "temperature": "method.temperature",
    "beta": "method.beta",
    "epsilon": "method.clip",
    "num_iterations": "method.iterations",
    "reward_weights": "method.reward_weights",
    "generation_batch_size": "method.batch_size",
    **dict.fromkeys(("num_generations", "loss_type", "scale_rewards", "steps_per_generation"), ""),
    **dict.fromkeys(("multi_objective_aggregation", "importance_sampling_level", "use_vllm"), ""),
    **dict.fromkeys(("max_tool_calling_iterations", "log_completions_hub_repo", "sync_ref_model"), ""),
}


@dataclass
class PPO(Reinforced):
    """Reinforcement learning with a critic; ``batch_size`` counts sampled answers."""

    acts: ClassVar[bool] = True
    num_generations: ClassVar[int] = GENERATIONS

    batch_size: int = setting(32, "sampled answers per optimizer step, an even number")
    critic: str = setting(
        "",
        "the step of the recipe (method=reward) that the critic starts from; default: the step's input",
        identity=False,
    )
    critic_learning_rate: float = setting(3e-5, "peak learning rate of the critic")
    critic_warmup: int = setting(0, "first optimizer steps in which only the critic learns")
    value_weight: float = setting(0.5, "weight of the critic's loss")
    value_clip: float = setting(
        0.2, "how far a prediction may move from that at sampling time; 0: any distance"
    )
    keep_critic: bool = setting(False, "keep the critic in a folder beside the model")
    clip: float = setting(0.2, "how far the ratio of probabilities may move from 1")
    iterations: int = setting(1, "optimizer steps on every batch of answers")
    gamma: float = setting(1.0, "discount of later rewards, per token")
    gae_lambda: float = setting(
        0.95, "GAE's lambda: 1 trusts what came (less bias), 0 the critic (less variance)"
    )
    beta: float = setting(0.02, "weight of the KL divergence from the step's input, taken out of the reward")
    missing_end: float = setting(0.0, "penalty of an answer that is cut at max_completion_length")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, example in (("critic_learning_rate", "3e-5"), ("clip", "0.2"), ("iterations", "1")):
            above(0, self, name, example)
        for name in ("critic_warmup", "value_weight", "value_clip", "beta", "missing_end"):
            at_least(0, self, name, "0")
        for name in ("gamma", "gae_lambda"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingError(
                    f"method.{name} must lie in [0, 1], got {getattr(self, name)}; try method.{name}=1",
                    f"method.{name}",
                )
        if self.batch_size % GENERATIONS:
            raise SettingError(
                f"method.batch_size must be even, got {self.batch_size}; try"
                f" method.batch_size={self.batch_size + 1}",
                "method.batch_size",
            )
        if self.checkpoint_every % self.iterations:
            near = max(self.checkpoint_every // self.iterations, 1) * self.iterations
            raise SettingError(
                f"method.checkpoint_every must be a multiple of method.iterations={self.iterations}, because"
                f" a batch of answers is not kept, got {self.checkpoint_every}; try"
                f" method.checkpoint_every={near}",
                "method.checkpoint_every",
                "method.iterations",
            )

    @override
    def models(self, before: Mapping[str, Any]) -> dict[str, str]:
        if self.critic and getattr(before.get(self.critic), "makes", "") != "reward":
            what = f"method.critic={self.critic} names no step before it that makes a reward model"
            raise ConfigError(Problem(what, "leave it out, or name a step with method=reward"))
        return {"critic": self.critic} if self.critic else {}

    @override
    def passes(self, work: Workload) -> Passes:
        """Answers through policy and critic, with the critic's optimizer; the original model for the KL."""
        return replace(super().passes(work), rows=2, group=1, copies=4 + int(self.beta > 0))


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``method=ppo``."""
    help_ = "reinforcement learning with a critic"
    return [Choice("method", "ppo", PPO, help_, LIBRARIES, version="2", calls="ptx_ppo.train:train")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Problems that are found before the model is loaded."""
    if not isinstance(config.method, PPO):
        return []
    from ptx.lm.training import validate

    return validate.problems(config, "ppo", "GRPOConfig", OWNED, model, data)
