"""Scorers as TRL's reward functions.

A scorer reads texts: the text of a prompt with one turn, and the text of an answer. A score of nan ("could
not be scored") becomes None, which TRL leaves out of the sum. A scorer that cannot score any answer stops the
run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ptx import Run, StepError
from ptx.lm.training.rows import as_text

Reward = Callable[..., list[float | None]]
SHOWN = 200  # characters of an example in an error


@dataclass
class Rewards:
    """The reward functions of a run, with the last example that each one scored.

    ``seen`` holds the first answer of the last batch with its reference and score, ``best`` the highest score
    so far, ``unscored`` the scorers that could not score some answer; the key is the scorer's name.
    """

    run: Run
    names: list[str]
    seen: dict[str, tuple[str, str | None, float]] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    unscored: set[str] = field(default_factory=set)

    def functions(self) -> list[Reward]:
        """One function per scorer; TRL logs it by the scorer's name (``rewards/NAME/mean``)."""
        return [self._function(name) for name in self.names]

    def _function(self, name: str) -> Reward:
        def reward(
            prompts: list[Any], completions: list[Any], answer: list[str | None] | None = None, **_: Any
        ) -> list[float | None]:
            texts = [as_text(completion) for completion in completions]
            references = answer if answer is not None else [None] * len(texts)
            scores = self.run.score(name, [as_text(prompt) for prompt in prompts], texts, list(references))
            self._remember(name, texts, list(references), scores)
            return [None if math.isnan(score) else score for score in scores]

        reward.__name__ = name
        return reward

    def _remember(
        self, name: str, texts: list[str], references: list[str | None], scores: list[float]
    ) -> None:
        scored = [score for score in scores if not math.isnan(score)]
        if not scored and name not in self.best:
            raise StepError(
                f"the scorer {name!r} could score none of the first {len(texts)} answers; the first:"
                f" {texts[0][-SHOWN:]!r}, its reference: {references[0] and references[0][-SHOWN:]!r}. Give"
                " the prompts a column answer, or choose another scorer (method.rewards=[...])"
            )
        if len(scored) < len(scores) and name not in self.unscored:
            self.unscored.add(name)
            lost = len(scores) - len(scored)
            self.run.say(
                f"the scorer {name!r} could not score {lost} of {len(scores)} answers; they get no reward"
                " from it"
            )
        self.best[name] = max([self.best.get(name, -math.inf), *scored])
        self.seen[name] = (texts[0], references[0], scores[0])

    def explain(self) -> str:
        """An example of every scorer, for the error of a training whose rewards never differ."""
        parts = []
        for name, (text, reference, score) in self.seen.items():
            parts.append(
                f"The scorer {name!r} never gave more than {self.best[name]:g}; an answer was"
                f" {text[-SHOWN:]!r}, its reference {reference and reference[-SHOWN:]!r}, its score"
                f" {score:g}."
            )
        tries = (
            "Try easier prompts, SFT before GRPO, a larger method.num_generations, or a reward that also pays"
            " for partial success"
        )
        return " ".join([*parts, tries])
