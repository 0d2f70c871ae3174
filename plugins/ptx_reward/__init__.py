"""Reward models: trained on pairs (``method=reward``), and measured on pairs (``eval=[reward]``).

A reward model gives a conversation one number, such that sigmoid(r(chosen) - r(rejected)) is the probability
that people prefer the chosen answer (Bradley and Terry 1952; Christiano et al. 2017). It is made beside the
line of models: the steps after it start from what the steps before it have made, and ``scorer.reward`` asks
it, by the name of its step or by its folder. ``eval=[reward]`` measures any scorer on pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from ptx import Choice, DataSet, Evaluator, Lora, Problem, RunConfig, hookimpl, must_be_at_least, setting
from ptx.lm.training.memory import Passes
from ptx.lm.training.method import TrlMethod, above, at_least
from ptx.models import inspection
from ptx.models.memory import Workload

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")
#: arguments of TRL's RewardConfig that the settings below decide, or that would change what is scored
OWNED = {
    "center_rewards_coefficient": "method.center",
    **dict.fromkeys(("chat_template_path", "eos_token", "pad_token"), ""),
}


@dataclass
class RewardModel(TrlMethod):
    """A reward model by Bradley and Terry's likelihood of pairs.

    A column ``margin`` of the pairs, where there is one, is how much better the chosen answer is (Llama 2).
    """

    needs: ClassVar[tuple[str, ...]] = ("pairs",)
    makes: ClassVar[str] = "reward"

    learning_rate: float = setting(
        1e-5, "peak learning rate of AdamW; adapters and small models take more (1e-4)"
    )
    max_length: int | None = setting(
        None,
        "longest prompt and answer in tokens; longer pairs are left out (default: 1024, or the model's"
        " context)",
    )
    center: float = setting(
        0.01, "weight of the squared sum of both rewards, which keeps their mean near 0; 0: none"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(0, self, "center", "0.01")
        if self.max_length is not None:
            above(0, self, "max_length", "512")

    @override
    def passes(self, work: Workload) -> Passes:
        """Both answers of a pair, each with its prompt."""
        return Passes(self.length(work), rows=2)


@dataclass
class RewardEvaluation(Evaluator):
    """How well a scorer tells the better answer of a pair."""

    opens_model: ClassVar[bool] = False
    metrics: ClassVar[Mapping[str, str]] = {
        "reward/accuracy": "The fraction of pairs whose chosen answer has the higher score, a tie counting"
        " half; higher is better.",
        "reward/accuracy_chosen_shorter": "The same over pairs whose chosen answer is the shorter one; higher"
        " is better.",
        "reward/length_correlation": "Spearman's correlation of score and length over all answers: a scorer"
        " that likes length is near 1; lower is better.",
        "reward/calibration_error": "The mean gap between sigmoid(margin) and the share of right pairs, in"
        " ten bins (expected calibration error); lower is better.",
        "reward/unscored": "The fraction of pairs with an answer that could not be scored; lower is better.",
    }

    pairs: list[str] = setting(
        [], "files of held-out pairs, in any form that data= reads; never those that the model was trained on"
    )
    scorer: str = setting("reward", "the scorer that is measured (scorer.NAME sets it up)")
    limit: int | None = setting(None, "only the first N pairs of each file")

    def __post_init__(self) -> None:
        must_be_at_least("eval.reward.limit", self.limit, 1, 100)

    @override
    def inputs(self) -> list[Path]:
        """The files."""
        return [path for one in self.pairs if (path := Path(one).expanduser()).exists()]

    @override
    def scorers(self) -> list[str]:
        """The scorer that is measured."""
        return [self.scorer]


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``method=reward`` and ``eval=[reward]``."""
    return [
        Choice(
            "method",
            "reward",
            RewardModel,
            "a reward model from pairs, beside the line (Bradley-Terry)",
            LIBRARIES,
            calls="ptx_reward.train:train",
        ),
        Choice(
            "eval",
            "reward",
            RewardEvaluation,
            "how well a reward model, or any scorer, tells the better answer of held-out pairs",
            calls="ptx_reward.evaluate:evaluate",
        ),
    ]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Problems that are found before the model is loaded."""
    found = []
    for evaluator in config.eval.values():
        if isinstance(evaluator, RewardEvaluation):
            from ptx.lm.evaluation.pairs import pair_problems

            found += pair_problems("eval.reward.pairs", evaluator.pairs, evaluator.limit)
    if not isinstance(config.method, RewardModel):
        return found
    from ptx.lm.training import validate

    found += validate.problems(config, "reward", "RewardConfig", OWNED, model, data)
    return found + _own_problems(config.method, model)


def _own_problems(method: RewardModel, model: Path) -> list[Problem]:
    lora, found = method.lora, []
    if not inspection.problems(model) and not inspection.inspect(model).has_chat_template:
        what = f"{model} has no chat template, with which a reward model reads conversations"
        found.append(Problem(what, "add one (chat_template.jinja), or start from a chat model"))
    if isinstance(lora, Lora) and not lora.merge:
        what = "method.lora.merge=false: a reward model is kept whole, with its head"
        found.append(Problem(what, "leave it out", fields=("method.lora.merge",)))
    if isinstance(lora, Lora) and lora.quantize:
        what = "method.lora.quantize=true: a reward model is not trained on a 4-bit base here"
        found.append(Problem(what, "use lora=lora alone", fields=("method.lora.quantize",)))
    return found
