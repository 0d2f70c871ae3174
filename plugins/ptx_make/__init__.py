"""``make=sample|spin``: data out of a model's own answers.

``sample`` draws n answers to every prompt and has a scorer judge them. Of these it keeps the best (RAFT, Dong
et al. 2023; with one answer and no scorer, sequence-level distillation), pairs of the best and the worst
(on-policy DPO), all with a verdict (KTO), or the prompts that are neither solved always nor never (a
curriculum for GRPO). ``spin`` pairs the data's answers with the model's own (Chen et al. 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from ptx import Choice, SettingError, hookimpl, must_be_at_least, must_be_one_of, setting
from ptx.lm.making.maker import Answering

LIBRARIES = ("torch", "transformers")
KEPT = ("messages", "pairs", "thumbs", "prompts")


@dataclass
class Sample(Answering):
    """Draw n answers to every prompt, score them, and keep some."""

    needs: ClassVar[tuple[str, ...]] = ("prompts",)

    n: int = setting(4, "answers per prompt")
    keep: str = setting(
        "messages",
        "messages (the best answers), pairs (the best and the worst), thumbs (all, with a verdict), or"
        " prompts (those that are solved sometimes)",
    )
    scorer: str | None = setting("answer", "who scores the answers; null: nobody, all count as good")
    above: float | None = setting(
        0.0, "an answer is good if it scores more; null: the best one is kept whatever its score"
    )
    top: int = setting(1, "keep=messages: good answers that are kept per prompt at most")
    margin: float = setting(0.0, "keep=pairs: the scores must differ by more; equal ones never make a pair")
    solved: list[float] = setting(
        [0.0, 1.0], "keep=prompts: the share of good answers must lie between these, both excluded"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        must_be_at_least("make.n", self.n, 1, 4)
        must_be_one_of("make.keep", self.keep, KEPT, "messages")
        must_be_at_least("make.top", self.top, 1, 1)
        must_be_at_least("make.margin", self.margin, 0, "0.0")
        if self.n > 1 and not self.temperature:
            raise SettingError(
                f"make.temperature must be positive for make.n={self.n}, because all answers would be equal,"
                " got 0; try make.temperature=1.0, or make.n=1",
                "make.temperature",
                "make.n",
            )
        if len(self.solved) != 2 or not self.solved[0] < self.solved[1]:
            raise SettingError(
                f"make.solved must be two shares in order, got {self.solved}; try make.solved=[0,1]",
                "make.solved",
            )
        self._check_keep()

    def _check_keep(self) -> None:
        if self.keep != "messages" and not self.scorer:
            raise SettingError(
                f"make.keep={self.keep} needs a scorer, got make.scorer={self.scorer}; try"
                " make.scorer=answer",
                "make.keep",
                "make.scorer",
            )
        if self.keep == "pairs" and self.n < 2:
            raise SettingError(
                f"make.n must be at least 2 for pairs, got {self.n}; try make.n=4", "make.n", "make.keep"
            )
        if self.keep in ("thumbs", "prompts") and self.above is None:
            raise SettingError(
                f"make.above must be a number for make.keep={self.keep}; try make.above=0", "make.above"
            )

    @override
    def gives(self, reads: str) -> tuple[str, ...]:
        return (self.keep,)

    @override
    def scorers(self) -> list[str]:
        return [self.scorer] if self.scorer else []


@dataclass
class Spin(Answering):
    """Pair the answer in the data (chosen) with the model's own (rejected); equal answers make no pair."""

    needs: ClassVar[tuple[str, ...]] = ("completions", "messages")

    @override
    def gives(self, reads: str) -> tuple[str, ...]:
        return ("pairs",)


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``make=sample|spin``."""
    return [
        Choice(
            "make",
            "sample",
            Sample,
            "answers of a model, scored: the best, pairs, verdicts, or the prompts that suit it",
            LIBRARIES,
            calls="ptx_make.sample:sample",
        ),
        Choice(
            "make",
            "spin",
            Spin,
            "pairs of the data's answers and the model's own (self-play)",
            LIBRARIES,
            calls="ptx_make.spin:spin",
        ),
    ]
