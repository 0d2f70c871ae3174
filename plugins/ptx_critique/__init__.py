"""``make=critique``: Constitutional AI (Bai et al. 2022): a model criticises and revises its own answers.

To every prompt the model answers; then it is asked to criticise the answer by a principle that is drawn from
a constitution, and to revise it. Of the first part of the prompts the revisions are learnt (SL-CAI). Of the
others the revision is preferred to the first answer. These are no labels of a judge: ``make=label`` with
``data: STEP`` asks one about the same pairs, or about two new answers to the same prompts (RL-CAI).

The paper draws a principle at random. Here it follows from the seed, the prompt and the round alone, so
neither the order of the prompts nor a kill changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from ptx import Choice, Problem, RunConfig, SettingError, hookimpl, must_be_at_least, setting
from ptx.lm.making.maker import Answering

LIBRARIES = ("torch", "transformers")
PACKAGED = Path(__file__).parent / "constitution.yaml"


@dataclass
class Critique(Answering):
    """Answers that a model has criticised and revised by the principles of a constitution."""

    needs: ClassVar[tuple[str, ...]] = ("prompts", "safety")

    critic: str = setting(
        "", "who criticises and revises: empty for the model that answers, else named like make.model"
    )
    constitution: str = setting(
        "packaged", "the principles: packaged, or a .yaml or .json file with critique and revision of each"
    )
    rounds: int = setting(1, "revisions of an answer, each by another principle")
    share: float = setting(
        0.5, "share of the prompts, from the first, whose revisions become messages; of the others, pairs"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        must_be_at_least("make.rounds", self.rounds, 1, 1)
        if not 0 <= self.share <= 1:
            raise SettingError(
                f"make.share must be from 0 (all pairs) to 1 (all messages), got {self.share}; try"
                " make.share=0.5",
                "make.share",
            )

    @property
    def file(self) -> Path:
        """The file of the principles."""
        return PACKAGED if self.constitution == "packaged" else Path(self.constitution).expanduser()

    @override
    def gives(self, reads: str) -> tuple[str, ...]:
        messages = ("messages",) if self.share > 0 else ()
        # the prompts of the pairs: make=label can ask a later model for two new answers to them
        return messages + (("pairs", "prompts") if self.share < 1 else ())

    @override
    def models(self, before: Mapping[str, Any]) -> dict[str, str]:
        return {**super().models(before), **({"critic": self.critic} if self.critic else {})}

    @override
    def inputs(self) -> list[Path]:
        return [self.file]


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``make=critique``."""
    help_ = "a model criticises and revises its answers by a constitution (Constitutional AI)"
    return [Choice("make", "critique", Critique, help_, LIBRARIES, calls="ptx_critique.critique:critique")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path) -> list[Problem]:
    """Report a constitution that cannot be used, and a critic that cannot hold a conversation."""
    from ptx_critique.constitution import problems

    steps = [step for step in config.chain().values() if isinstance(step, Critique)]
    return [problem for step in steps for problem in problems(step, model)]
