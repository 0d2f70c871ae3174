"""``eval=[bench]``: benchmarks, run by EleutherAI's lm-evaluation-harness.

A task scores here exactly what a direct lm-eval run with the same batch size reports. This plugin adds
intervals, segments and per-example rows with stable names, so that models can be compared item by item.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ptx import Choice, Evaluation, Evaluator, Problem, Run, RunConfig, hookimpl, must_be_at_least, setting

TEMPLATES = ("auto", "true", "false")


@dataclass
class Bench(Evaluator):
    """Score the model on lm-eval tasks."""

    metrics: ClassVar[Mapping[str, str]] = {
        "bench/{task}/{metric}": "A task's metric as lm-eval aggregates it, a fraction for accuracies, in the"
        " metric's own unit else (perplexity, bits per byte); the metric says whether higher is better.",
        "bench/{group}/{metric}": "A group's metric as lm-eval aggregates it, a fraction; the metric says"
        " whether higher is better.",
        "bench/{task}/cut": "The fraction of a task's items whose prompt is longer than the model's context"
        " and lost its beginning; only where there are any; lower is better.",
        "bench/mean": "The mean over tasks of each task's first metric that is a fraction; higher is better.",
    }
    tasks: list[str] = setting(
        [],
        "folders of lm-eval YAML tasks, .yaml files, or names that lm-eval knows; empty: the tasks that come"
        " with the data",
    )
    num_fewshot: int | None = setting(
        None, "examples in the prompt; default: the task's own number (a task that sets 0 keeps 0)"
    )
    limit: int | None = setting(None, "only the first N items of each task")
    batch_size: int = setting(64, "requests per forward pass; padding changes the last digits of scores")
    chat_template: str = setting(
        "auto", "true, false, or auto: only for tasks whose metadata sets apply_chat_template: true"
    )
    allow_code: bool = setting(
        False, "run the Python that a task folder names (!function and the like); else such a task is refused"
    )

    def __post_init__(self) -> None:
        self.chat_template = str(self.chat_template).lower()  # a command line's true arrives as True
        if self.chat_template not in TEMPLATES:
            raise ValueError(
                f"eval.bench.chat_template must be auto, true or false, got {self.chat_template!r}; try"
                " eval.bench.chat_template=auto"
            )
        for name, least in (("num_fewshot", 0), ("limit", 1), ("batch_size", 1)):
            must_be_at_least(f"eval.bench.{name}", getattr(self, name), least, max(least, 10))

    def inputs(self) -> list[Path]:
        """The files that define the tasks and hold their items."""
        from ptx_bench.definitions import files_behind

        return files_behind(self.tasks)


@hookimpl
def ptx_choices() -> list[Choice]:
    """``eval=[bench]``."""
    return [
        Choice(
            "eval",
            "bench",
            Bench,
            "benchmarks (lm-eval tasks)",
            ("lm-eval", "datasets", "transformers", "torch"),
            version="3",
        )
    ]


@hookimpl
def ptx_validate(config: RunConfig, model: Path) -> list[Problem]:
    """Report tasks that are missing, do not parse, or need a chat template that the model does not have."""
    from ptx_bench.tasks import problems

    return [
        problem
        for evaluator in config.eval.values()
        if isinstance(evaluator, Bench)
        for problem in problems(evaluator, model)
    ]


@hookimpl
def ptx_evaluate(run: Run, evaluator: Evaluator, lm: Any | None) -> Evaluation | None:
    """Run the tasks; the libraries are silenced before they are imported."""
    if not isinstance(evaluator, Bench):
        return None
    from ptx.lm.load import quiet

    quiet()
    from ptx_bench.evaluate import evaluate

    return evaluate(run, evaluator, lm)
