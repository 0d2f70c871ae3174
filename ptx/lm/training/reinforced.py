"""The settings that all methods which learn from rewards share. It imports no ML library."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from ptx.config import Exact, Runtime, setting
from ptx.errors import SettingError, did_you_mean
from ptx.lm.training.method import TrlMethod, above

if TYPE_CHECKING:
    from ptx.hooks.host import Host

WORST, ZERO, SKIP = UNSCORED = ("worst", "zero", "skip")
HERE, TRL = "hf", "trl"


@dataclass
class Reinforced(TrlMethod):
    """A method that samples answers and learns from the scores that scorers give them."""

    needs: ClassVar[tuple[str, ...]] = ("prompts",)

    learning_rate: float = setting(
        1e-5, "peak learning rate of AdamW; large models need less (1e-6), adapters more"
    )
    rewards: list[str] | None = setting(
        None,
        "names of the scorers whose scores are the reward (scorer.NAME sets them up); default: answer, or"
        " none where an environment gives the reward",
    )
    reward_weights: list[float] | None = setting(None, "weight of each scorer; default: 1 each")
    unscored: Any = setting(
        WORST,
        "what an answer gets that a scorer cannot score: worst (its worst score), zero, or skip (nothing is"
        " learnt from it); {NAME: skip} sets it by scorer",
    )
    watch: list[str] = setting(
        [], "scorers that are asked and logged (watch/NAME) and never trained on: they show reward hacking"
    )
    try_scorers: bool = setting(
        True,
        "before training, refuse a reward that likes references of other prompts as much as a prompt's own",
        identity=False,
    )
    max_completion_length: int = setting(256, "maximum length of a sampled answer, in tokens")
    temperature: float = setting(1.0, "sampling temperature")
    rollout: str | None = setting(
        None,
        "who samples: hf (the trained model, prompts of a group read once), trl (transformers' generate as"
        " TRL calls it), or a runtime that gets the weights before every step (vllm, onnx), with importance"
        " correction; default: hf, with speed=exact trl",
    )
    rollout_args: dict[str, Any] = setting(
        {}, "settings of the runtime that samples: method.rollout_args={gpu_memory_utilization: 0.4}"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        above(0, self, "temperature", "1.0")
        above(0, self, "max_completion_length", "256")
        self._check_rewards()
        self._check_unscored()
        if self.rollout is None:
            self.rollout = TRL if isinstance(self.speed, Exact) else HERE
        if self.rollout_args and self.rollout in (HERE, TRL):
            raise SettingError(
                f"method.rollout_args are for a runtime that samples, got method.rollout={self.rollout};"
                " leave them out, or try method.rollout=vllm",
                "method.rollout_args",
                "method.rollout",
            )

    def _check_rewards(self) -> None:
        own = self.environment is not None and self.environment.rewards
        if self.rewards is None:
            self.rewards = [] if own else ["answer"]
        if not self.rewards and not own:
            raise SettingError(
                "method.rewards must name at least one scorer, got []; try method.rewards=[answer]",
                "method.rewards",
            )
        names = self.reward_names
        if self.watch and not names:
            raise SettingError(
                f"method.watch={self.watch} needs a scorer in method.rewards beside the environment's reward;"
                " try method.rewards=[answer]",
                "method.watch",
            )
        if self.reward_weights is not None and len(self.reward_weights) != len(names):
            raise SettingError(
                f"method.reward_weights must have one weight for each of {names}, got"
                f" {self.reward_weights}; try method.reward_weights={[1.0] * len(names)}",
                "method.reward_weights",
            )
        if both := [name for name in self.watch if name in names]:
            raise SettingError(
                f"method.watch names {both[0]!r}, which is trained on (method.rewards), so it would show"
                " nothing; name another scorer, or the same kind under another name",
                "method.watch",
                "method.rewards",
            )

    def _check_unscored(self) -> None:
        by_name = self.unscored if isinstance(self.unscored, dict) else {}
        for name in by_name:
            if name not in self.reward_names:
                raise SettingError(
                    f"method.unscored names {name!r}, which is not among method.rewards;"
                    f" {did_you_mean(str(name), self.reward_names)}",
                    "method.unscored",
                )
        for rule in by_name.values() if isinstance(self.unscored, dict) else [self.unscored]:
            if rule not in UNSCORED:
                raise SettingError(
                    f"method.unscored must be worst, zero or skip, got {rule!r}; try method.unscored=worst",
                    "method.unscored",
                )

    def unscored_by(self, name: str) -> str:
        """What an answer gets that this scorer cannot score: worst, zero or skip."""
        return str(self.unscored.get(name, WORST) if isinstance(self.unscored, dict) else self.unscored)

    @property
    def reward_names(self) -> list[str]:
        """The scorers whose scores are the reward."""
        return list(self.rewards or ())

    def rollout_runtime(self, host: Host) -> Runtime:
        """The runtime that samples, with its settings.

        Raises:
            SettingError: there is none of that name, or it has no such setting.
        """
        choice = host.choices.get(("runtime", str(self.rollout)))
        if choice is None:
            known = [HERE, TRL, *host.names("runtime")]
            hint = did_you_mean(str(self.rollout), known)
            raise SettingError(f"there is no method.rollout {self.rollout!r}; {hint}", "method.rollout")
        fields = [field.name for field in dataclasses.fields(choice.config_type)]
        for name in self.rollout_args:
            if name not in fields:
                raise SettingError(
                    f"runtime={self.rollout} has no setting {name!r} (method.rollout_args);"
                    f" {did_you_mean(str(name), fields)}",
                    "method.rollout_args",
                )
        made: Runtime = choice.config_type(**self.rollout_args)
        return made.for_rollouts()

    @property
    @override
    def generates(self) -> bool:
        return self.rollout == TRL

    @override
    def scorers(self) -> list[str]:
        return [*self.reward_names, *self.watch]


def check_groups(method: Any) -> None:
    """Raise unless ``batch_size`` is a whole number of groups of ``num_generations`` answers."""
    above(1, method, "num_generations", "8")
    if method.batch_size % method.num_generations:
        near = max(method.batch_size // method.num_generations, 1) * method.num_generations
        raise SettingError(
            f"method.batch_size must be a multiple of method.num_generations={method.num_generations}, got"
            f" {method.batch_size}; try method.batch_size={near}",
            "method.batch_size",
            "method.num_generations",
        )
