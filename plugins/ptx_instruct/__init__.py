"""``make=instruct``: instructions that a model writes, and its answers to them.

- ``by=magpie`` (Xu et al. 2024): a chat model that is given the beginning of a user's turn writes what a user
  would say. It needs no data at all.
- ``by=self_instruct`` (Wang et al. 2023): the model continues a list of instructions, given ones and its own.
- ``by=evol`` (WizardLM, Xu et al. 2023): the model makes the prompts of the data harder, or others like them.

Nothing that repeats an earlier instruction is kept (ROUGE-L above ``make.rouge``, the published rule). Nobody
checks the answers: they hold the model's errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from ptx import Choice, Problem, RunConfig, SettingError, hookimpl, must_be_at_least, must_be_one_of, setting
from ptx.lm.making.maker import Answering
from ptx.models.inspection import inspect

LIBRARIES = ("torch", "transformers", "langdetect")
MAGPIE, SELF_INSTRUCT, EVOL = BY = ("magpie", "self_instruct", "evol")
KEPT = ("messages", "prompts")


@dataclass
class Instruct(Answering):
    """Instructions that a model writes, each different from those before, with its answers."""

    by: str = setting(
        MAGPIE,
        "magpie (out of nothing, by the beginning of a user's turn), self_instruct (more like those of the"
        " data), or evol (those of the data, harder or others of their kind)",
    )
    count: int = setting(100, "instructions that are wanted")
    keep: str = setting("messages", "messages (with the model's answers) or prompts (without)")
    rouge: float = setting(
        0.7, "an instruction whose ROUGE-L with an earlier one is above this is left out; 1: equal ones only"
    )
    tries: int = setting(4, "magpie, self_instruct: attempts at most, times make.count")
    shown: int = setting(8, "self_instruct: instructions shown; one in four is the model's own")
    rounds: int = setting(1, "evol: rewrites of a prompt, one after the other")
    answer_temperature: float = setting(0.0, "temperature of the answers; 0: greedy")

    def __post_init__(self) -> None:
        super().__post_init__()
        must_be_one_of("make.by", self.by, BY, MAGPIE)
        must_be_one_of("make.keep", self.keep, KEPT, "messages")
        for name in ("count", "tries", "shown", "rounds"):
            must_be_at_least(f"make.{name}", getattr(self, name), 1, 4)
        must_be_at_least("make.answer_temperature", self.answer_temperature, 0, "0.0")
        if not 0 < self.rouge <= 1:
            raise SettingError(
                f"make.rouge must be above 0 and at most 1, got {self.rouge}; try make.rouge=0.7",
                "make.rouge",
            )
        if self.by != EVOL and not self.temperature:
            raise SettingError(
                "make.temperature must be positive, because all instructions would be equal, got 0; try"
                " make.temperature=1.0",
                "make.temperature",
            )

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Magpie reads no data."""
        return () if self.by == MAGPIE else ("prompts",)

    @override
    def gives(self, reads: str) -> tuple[str, ...]:
        return (self.keep,)


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``make=instruct``."""
    help_ = "instructions that a model writes, with its answers: Magpie, self-instruct, evol"
    return [Choice("make", "instruct", Instruct, help_, LIBRARIES, calls="ptx_instruct.instruct:instruct")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path) -> list[Problem]:
    """Report a model without a chat template, which has no user's turn to begin."""
    steps = [step for step in config.chain().values() if isinstance(step, Instruct)]
    if not any(step.by == MAGPIE and not step.model for step in steps) or inspect(model).has_chat_template:
        return []
    what = f"make.by=magpie begins a user's turn, and {model} has no chat template"
    return [Problem(what, "start from a chat model, or type make.by=self_instruct with data")]
