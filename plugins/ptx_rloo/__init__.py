"""REINFORCE with a leave-one-out baseline (Ahmadian et al. 2024), with TRL's RLOOTrainer.

For every prompt several answers are sampled and scored. The advantage of an answer is its reward minus the
mean reward of its siblings, and is not divided by their spread as in GRPO. The KL divergence from the step's
input model is taken out of the reward. The advantages of a group add up to 0, so the logged loss is near 0
whatever is learnt: look at ``reward`` and ``kl``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from typing_extensions import override

from ptx import Choice, DataSet, Problem, RunConfig, SettingError, hookimpl, setting
from ptx.lm.training.memory import Passes
from ptx.lm.training.method import at_least
from ptx.lm.training.reinforced import Reinforced, check_groups
from ptx.models.memory import Workload

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")
#: arguments of TRL's RLOOConfig that the settings below decide
OWNED = {
    "num_generations": "method.num_generations",
    "max_completion_length": "method.max_completion_length",
    "temperature": "method.temperature",
    "beta": "method.beta",
    "reward_clip_range": "method.reward_clip",
    "reward_weights": "method.reward_weights",
    "generation_batch_size": "method.batch_size",
    "log_completions_hub_repo": "",
    "sync_ref_model": "",
}


@dataclass
class RLOO(Reinforced):
    """Reinforcement learning with the siblings of an answer as its baseline.

    ``batch_size`` counts sampled answers, not prompts.
    """

    batch_size: int = setting(
        32,
        "sampled answers per optimizer step: num_generations for each of batch_size / num_generations"
        " prompts",
    )
    num_generations: int = setting(4, "answers sampled per prompt; with 2 the baseline is one sample")
    beta: float = setting(
        0.05, "weight of the KL divergence from the step's input model, taken out of the reward; 0: none"
    )
    reward_clip: list[float] | None = setting(
        None, "clip rewards to [LOWEST, HIGHEST] before the KL is taken out"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(0, self, "beta", "0.05")
        check_groups(self)
        clip = self.reward_clip
        if clip is not None and not (len(clip) == 2 and clip[0] < clip[1]):
            raise SettingError(
                f"method.reward_clip must be [LOWEST, HIGHEST], got {clip}; try method.reward_clip=[-10,10]",
                "method.reward_clip",
            )

    @override
    def passes(self, work: Workload) -> Passes:
        """Prompts with sampled answers, and the original model beside the trained one for the KL."""
        return replace(super().passes(work), copies=int(self.beta > 0 and self.lora is None))


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``method=rloo``."""
    help_ = "reinforcement learning, the siblings of an answer as its baseline"
    return [Choice("method", "rloo", RLOO, help_, LIBRARIES, calls="ptx_rloo.train:train")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Problems that are found before the model is loaded."""
    if not isinstance(config.method, RLOO):
        return []
    from ptx.lm.training import validate

    return validate.problems(config, "rloo", "RLOOConfig", OWNED, model, data)
