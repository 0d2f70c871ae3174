"""``eval=[judge]``: which of two answers is better, asked of a judge in both orders; grades; and how far the
judge itself can be trusted.

The variant's answers are held against the baseline model's (or against the references of the questions). A
judge is any scorer: ``rule`` (offline, deterministic), ``endpoint`` (an OpenAI-compatible server), ``local``
(a model folder on a runtime), ``reward`` (a reward model), or one of another plugin. What a judge's verdicts
are worth is measured by ``ptx judge check`` against human ones; a win-rate whose judge was not checked, or
agrees too little, is called ``judge/win_rate_unchecked`` wherever it appears, so that no gate passes by it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ptx import Choice, Command, Evaluation, Evaluator, ModelRef, Problem, Run, RunConfig, Scorer, hookimpl
from ptx_judge.config import Endpoint, Judge, Local, Reward, Rule

__all__ = ["Endpoint", "Judge", "Local", "Reward", "Rule"]


@hookimpl
def ptx_choices() -> list[Choice]:
    """The evaluator and four judges."""
    torch = ("transformers", "torch")
    return [
        Choice("eval", "judge", Judge, "win-rate and grades by a judge, both orders asked", version="2"),
        Choice(
            "scorer",
            "rule",
            Rule,
            "offline and deterministic: the reference's answer is there, the form is sound",
        ),
        Choice("scorer", "endpoint", Endpoint, "a judge behind an OpenAI-compatible endpoint"),
        Choice("scorer", "local", Local, "a judge model by folder, on any runtime", torch),
        Choice(
            "scorer", "reward", Reward, "a reward model by folder (sequence classification, one label)", torch
        ),
    ]


@hookimpl
def ptx_commands() -> list[Command]:
    """``ptx judge check`` and ``ptx judge rank``."""
    return [
        Command(
            "judge", "measure a judge against human verdicts; rank the runs of a sweep pair by pair", _main
        )
    ]


def _main(arguments: list[str]) -> int:
    from ptx_judge.command import main

    return main(arguments)


@hookimpl
def ptx_validate(config: RunConfig) -> list[Problem]:
    """Questions that cannot be read, judges that cannot be asked."""
    from ptx_judge.validate import problems

    return problems(config)


@hookimpl
def ptx_evaluate(
    run: Run, evaluator: Evaluator, model: ModelRef, lm: Any | None, baseline: ModelRef | None
) -> Evaluation | None:
    """Answer the questions, ask the judge."""
    if not isinstance(evaluator, Judge):
        return None
    from ptx_judge.evaluate import evaluate

    return evaluate(run, evaluator, model, lm, baseline)


@hookimpl
def ptx_score(
    run: Run, scorer: Scorer, prompts: list[str], completions: list[str], references: list[str | None]
) -> list[float] | None:
    """Ask one of the four judges."""
    match scorer:
        case Rule():
            from ptx_judge.rule import score

            return [
                score(text, answer, scorer.words)
                for text, answer in zip(completions, references, strict=True)
            ]
        case Endpoint():
            from ptx_judge import endpoint

            return list(endpoint.score(run, scorer, prompts, completions, references))
        case Local():
            from ptx_judge import local

            return list(local.score(run, scorer, prompts, completions, references))
        case Reward():
            from ptx_judge import reward

            return reward.score(run, scorer, prompts, completions)
    return None


@hookimpl
def ptx_report(records: list[Any], folder: Path) -> list[str]:
    """Who judged, how far it can be trusted, and the order of the runs by Bradley and Terry."""
    del folder  # no files
    from ptx_judge.report import sections

    return sections(records)
