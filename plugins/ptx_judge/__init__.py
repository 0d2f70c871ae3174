"""``eval=[judge]``: a judge says which of two answers is better, in both orders, or grades them.

The variant's answers are compared with the baseline model's (or with the references of the questions). A
judge is any scorer: ``rule`` (offline, deterministic), ``endpoint`` (an OpenAI-compatible server), ``local``
(a model folder on a runtime), ``reward`` (a reward model), or one of another plugin.

``ptx judge check`` measures how far a judge agrees with human verdicts. If a judge was not checked, or agrees
too little, its win-rate is called ``judge/win_rate_unchecked`` everywhere, so that no gate uses it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ptx import Choice, Command, Problem, RunConfig, hookimpl
from ptx_judge.config import Endpoint, Judge, Local, Reward, Rule

__all__ = ["Endpoint", "Judge", "Local", "Reward", "Rule"]


@hookimpl
def ptx_choices() -> list[Choice]:
    """The evaluator and four judges."""
    torch = ("transformers", "torch")
    return [
        Choice(
            "eval",
            "judge",
            Judge,
            "win-rate and grades by a judge, both orders asked",
            version="2",
            calls="ptx_judge.evaluate:evaluate",
        ),
        Choice(
            "scorer",
            "rule",
            Rule,
            "offline and deterministic: the reply holds the reference's answer, its form is sound",
            version="3",
            calls="ptx_judge.rule:scores",
        ),
        Choice(
            "scorer",
            "endpoint",
            Endpoint,
            "a judge behind an OpenAI-compatible endpoint",
            calls="ptx_judge.endpoint:score",
        ),
        Choice(
            "scorer",
            "local",
            Local,
            "a judge model by folder, on any runtime",
            torch,
            calls="ptx_judge.local:score",
        ),
        Choice(
            "scorer",
            "reward",
            Reward,
            "a reward model by folder (sequence classification, one label)",
            torch,
            calls="ptx_judge.reward:score",
        ),
    ]


@hookimpl
def ptx_commands() -> list[Command]:
    """``ptx judge check`` and ``ptx judge rank``."""
    return [
        Command("judge", "compare a judge with human verdicts; rank the runs of a sweep pair by pair", _main)
    ]


def _main(arguments: list[str]) -> int:
    from ptx_judge.command import main

    return main(arguments)


@hookimpl
def ptx_validate(config: RunConfig) -> list[Problem]:
    """Report questions that cannot be read and judges that cannot be asked."""
    from ptx_judge.validate import problems

    return problems(config)


@hookimpl
def ptx_report(records: list[Any], folder: Path) -> list[str]:
    """The judges, how far each can be trusted, and the order of the runs by Bradley and Terry."""
    del folder  # this section writes no files
    from ptx_judge.report import sections

    return sections(records)
