"""Scorers as TRL's reward functions, for every method that learns from rewards.

A score of nan ("could not be scored") is no escape from a bad one: the answer gets the scorer's worst score,
unless ``method.unscored`` says otherwise. TRL would count it as 0, which beats every negative reward. Scorers
in ``method.watch`` are asked and logged, and nothing learns from them. A scorer that cannot score any answer
stops the run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ptx.data.conversations import as_text
from ptx.errors import StepError
from ptx.hooks.run import Run
from ptx.lm.training.reinforced import SKIP, WORST, Reinforced

Reward = Callable[..., list[float | None]]
Prompts = Sequence[Any]
SHOWN = 200  # characters of an example in an error


@dataclass
class Rewards:
    """The reward functions of a run, with the last example that each one scored.

    ``seen`` holds the first answer of the last batch with its reference and score, ``best`` the highest score
    so far, ``unscored`` the scorers that could not score some answer; the key is the scorer's name.
    """

    run: Run
    method: Reinforced
    seen: dict[str, tuple[str, str | None, float]] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    unscored: set[str] = field(default_factory=set)
    _batch: dict[str, list[float | None]] = field(default_factory=dict)

    def functions(self) -> list[Reward]:
        """One function per scorer; TRL logs it by the scorer's name (``rewards/NAME/mean``).

        TRL calls them in this order on every batch, so the first call scores the batch for all.
        """
        return [self._function(name, first=not place) for place, name in enumerate(self.method.reward_names)]

    def _function(self, name: str, *, first: bool) -> Reward:
        def reward(
            prompts: Prompts,
            completions: list[Any],
            answer: list[str | None] | None = None,
            log_metric: Callable[[str, float], None] | None = None,
            **_: Any,
        ) -> list[float | None]:
            if first:
                texts = [spoken_last(completion) for completion in completions]
                references: list[str | None] = list(answer or [None] * len(texts))
                self._score(prompts, texts, references, log_metric or (lambda _name, _value: None))
            return self._batch[name]

        reward.__name__ = name
        return reward

    def _score(
        self,
        prompts: Prompts,
        texts: list[str],
        references: list[str | None],
        log: Callable[[str, float], None],
    ) -> None:
        """Score a batch with every scorer, and log the shares without a score and the watched scores."""
        batch: dict[str, list[float | None]] = {}
        skipped: set[int] = set()
        for name in self.method.reward_names:
            scores = self.run.score(name, prompts, texts, references)
            self._remember(name, texts, references, scores)
            lost = [place for place, score in enumerate(scores) if math.isnan(score)]
            log(f"unscored/{name}", len(lost) / len(scores))
            rule = self.method.unscored_by(name)
            skipped |= set(lost) if rule == SKIP else set()
            batch[name] = filled(scores, rule, self.run.config.scorer[name].bounds[0])
        for name in self.method.watch:
            scored = [one for one in self.run.score(name, prompts, texts, references) if not math.isnan(one)]
            if scored:
                log(f"watch/{name}", sum(scored) / len(scored))
        for place in skipped:  # TRL leaves out what no function scores: advantage 0, no part in the baseline
            for values in batch.values():
                values[place] = None
        self._batch = batch

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
            lost, rule = len(scores) - len(scored), self.method.unscored_by(name)
            self.run.say(
                f"the scorer {name!r} could not score {lost} of {len(scores)} answers: {TOLD[rule]}"
                f" (method.unscored={rule})"
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
            "Try easier prompts, SFT before this step, a larger method.num_generations, or a reward that also"
            " pays for partial success"
        )
        return " ".join([*parts, tries])


TOLD = {
    WORST: "they get its worst score",
    "zero": "they get 0 from it",
    SKIP: "nothing is learnt from them",
}


def spoken_last(completion: Any) -> str:
    """What a scorer reads: a reply, or the model's last words after it has used tools."""
    if isinstance(completion, str) or len(completion) == 1:
        return as_text(completion)
    said = [turn for turn in completion if turn.get("role") == "assistant"]
    return as_text(said[-1:])


def filled(scores: Sequence[float], rule: str, lowest: float) -> list[float | None]:
    """The scores with a value for each nan, by ``rule``.

    The worst score is ``lowest``, the end of the scorer's scale, or the batch's lowest where the scale has no
    end; None, which TRL leaves out, where nothing in the batch was scored.
    """
    scored = [score for score in scores if not math.isnan(score)]
    value: float | None = None
    if rule == WORST:
        value = lowest if math.isfinite(lowest) else min(scored, default=None)
    elif rule != SKIP:
        value = 0.0
    return [value if math.isnan(score) else float(score) for score in scores]
