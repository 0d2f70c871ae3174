"""Process reward models: a score for each step of a solution (Lightman et al. 2023).

``method=process_reward`` trains a classifier of tokens on labelled steps: the label stands at the separator
that ends a step, and a model that reads from left to right can not see the steps behind it. It is made beside
the line, as a reward model is. ``scorer.process`` makes one number of a solution's steps (the least, the
product, the last), for best-of-n and for reinforcement learning. ``eval=[process]`` measures the steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ptx import (
    Choice,
    ConfigError,
    DataSet,
    Evaluator,
    Problem,
    RunConfig,
    Scorer,
    hookimpl,
    must_be_at_least,
    must_be_one_of,
    setting,
)
from ptx.lm.training.method import TrlMethod, above

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")
AGGREGATES = ("min", "product", "last")
MAKES = "process reward"


@dataclass
class ProcessReward(TrlMethod):
    """A process reward model from solutions with labelled steps."""

    needs: ClassVar[tuple[str, ...]] = ("steps",)
    makes: ClassVar[str] = MAKES

    learning_rate: float = setting(1e-5, "peak learning rate of AdamW; small models take more (1e-4)")
    max_length: int | None = setting(
        None, "longest solution in tokens; longer ones are left out (default: 1024, or the model's context)"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_length is not None:
            above(0, self, "max_length", "512")


@dataclass
class Process(Scorer):
    """A process reward model's probability that the steps of a solution are right.

    A step is a line that is not empty. A judgement of the whole is made of the steps' by ``aggregate``.
    """

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reads_turns: ClassVar[bool] = True

    model: str = setting(
        "",
        "the model: a folder of method=process_reward, or the step of the recipe that makes it (default: the"
        " latest such step)",
    )
    aggregate: str = setting(
        "min", "the score of a solution: min (its worst step), product, or last (its last step)"
    )
    batch_size: int = setting(16, "solutions per forward pass; padding changes the last digits of scores")
    max_length: int = setting(2048, "longest solution, in tokens; a longer one is not scored")

    def __post_init__(self) -> None:
        must_be_one_of("scorer.process.aggregate", self.aggregate, AGGREGATES, "min")
        must_be_at_least("scorer.process.batch_size", self.batch_size, 1, 16)
        must_be_at_least("scorer.process.max_length", self.max_length, 1, 2048)

    def inputs(self) -> list[Path]:
        """The weights."""
        folder = Path(self.model).expanduser()
        return [folder] if self.model and folder.is_dir() else []

    def models(self, before: Mapping[str, Any]) -> dict[str, str]:
        """The step that makes the model, if one does."""
        made = [name for name, step in before.items() if step.makes == MAKES]
        if not self.model:
            return {"model": made[-1]} if made else {}
        if self.model in before and self.model not in made:
            what = f"scorer.process.model={self.model} names a step that makes no process reward model"
            raise ConfigError(
                Problem(what, "name a step with method=process_reward, or a folder as ./FOLDER")
            )
        return {"model": self.model} if self.model in made else {}


@dataclass
class ProcessEvaluation(Evaluator):
    """How well a process reward model tells right steps from wrong ones."""

    opens_model: ClassVar[bool] = False
    metrics: ClassVar[Mapping[str, str]] = {
        "process/accuracy": "The fraction of steps that are judged as they are labelled, right from a"
        " probability of 0.5; intervals by solution; higher is better.",
        "process/first_error": "The fraction of solutions whose first wrong step is found, or that have none"
        " and none is found (ProcessBench); higher is better.",
        "process/unscored": "The fraction of solutions that are too long to be scored; lower is better.",
    }

    steps: list[str] = setting(
        [], "files of held-out solutions with prompt, steps and labels; never those that were trained on"
    )
    scorer: str = setting("process", "the scorer whose steps are measured (scorer.NAME sets it up)")
    limit: int | None = setting(None, "only the first N solutions of each file")

    def __post_init__(self) -> None:
        must_be_at_least("eval.process.limit", self.limit, 1, 100)

    def inputs(self) -> list[Path]:
        """The files."""
        return [path for one in self.steps if (path := Path(one).expanduser()).exists()]

    def scorers(self) -> list[str]:
        """The scorer that is measured."""
        return [self.scorer]


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute the method, the scorer and the evaluator."""
    return [
        Choice(
            "method",
            "process_reward",
            ProcessReward,
            "a process reward model from labelled steps, beside the line",
            LIBRARIES,
            calls="ptx_process.train:train",
        ),
        Choice(
            "scorer",
            "process",
            Process,
            "a process reward model judges the steps of a solution",
            ("transformers", "torch"),
            calls="ptx_process.score:score",
        ),
        Choice(
            "eval",
            "process",
            ProcessEvaluation,
            "how well a process reward model tells right steps from wrong ones",
            calls="ptx_process.evaluate:evaluate",
        ),
    ]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Problems that are found before the model is loaded."""
    from ptx.lm.training import validate
    from ptx_process.check import file_problems, model_problems

    found: list[Problem] = []
    for evaluator in config.eval.values():
        if isinstance(evaluator, ProcessEvaluation):
            found += file_problems(evaluator)
    if isinstance(config.method, ProcessReward):
        found += validate.problems(config, "process_reward", "RewardConfig", {}, model, data)
        found += model_problems(config.method, model)
    return found
