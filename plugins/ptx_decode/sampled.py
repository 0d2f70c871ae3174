"""A language model that samples n replies and gives one of them. Imports no ML library: it only talks to the
model it wraps.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from ptx import LanguageModel, Run, StepError
from ptx.lm.evaluation.answers import normal, vote
from ptx_decode import BestOf, Majority

SPREAD = 1_000_003  # a prime that keeps the seeds of two calls apart


class Sampled(ABC):
    """What both share: n samples per prompt in one call of the wrapped model; all else is the wrapped
    model's.
    """

    def __init__(self, lm: LanguageModel, n: int, temperature: float, seed: int) -> None:
        self.lm, self.n, self.temperature, self.seed = lm, n, temperature, seed
        self.tokenizer, self.max_length = lm.tokenizer, lm.max_length
        self.emulated = getattr(lm, "emulated", "")
        if hasattr(lm, "time_request"):  # for a runtime without, latency takes the time of generate
            self.time_request = self._time_request
        self.concurrent = getattr(lm, "concurrent", False)

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        *,
        stop: Sequence[str] = (),
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        """One reply per prompt out of ``n``; a caller's own temperature makes other samples, hotter or
        cooler, of the same number.
        """
        repeated = [prompt for prompt in prompts for _ in range(self.n)]
        chosen = self.seed * SPREAD + seed
        replies = self.lm.generate(
            repeated, max_new_tokens, stop=stop, temperature=temperature or self.temperature, seed=chosen
        )
        groups = [replies[start : start + self.n] for start in range(0, len(replies), self.n)]
        return [group[place] for group, place in zip(groups, self.choose(prompts, groups), strict=True)]

    @abstractmethod
    def choose(self, prompts: Sequence[str], groups: Sequence[Sequence[str]]) -> list[int]:
        """Per prompt the place of the reply that is given."""

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, bool]]:
        """The wrapped model's own."""
        return self.lm.loglikelihood(pairs)

    def logits(self, rows: Sequence[Sequence[int]]) -> Iterator[Any]:
        """The wrapped model's own."""
        return self.lm.logits(rows)

    def _time_request(self, prompt_tokens: int, new_tokens: int, batch_size: int = 1) -> tuple[float, float]:
        """One request: its n samples, generated at once. What choosing among them costs is not in it."""
        return self.lm.time_request(prompt_tokens, new_tokens, batch_size * self.n)

    def close(self) -> None:
        """Close the wrapped model."""
        self.lm.close()


class MajorityModel(Sampled):
    """Gives the first reply that states the commonest answer; among equally common answers the one stated
    first wins.
    """

    def __init__(self, lm: LanguageModel, config: Majority, seed: int) -> None:
        super().__init__(lm, config.n, config.temperature, seed)
        self.pattern = re.compile(config.pattern) if config.pattern else None

    # a vote needs no prompt
    def choose(self, prompts: Sequence[str], groups: Sequence[Sequence[str]]) -> list[int]:
        """Per prompt the place of the reply that is given."""
        return [majority([self.ballot(reply) for reply in group]) for group in groups]

    def ballot(self, reply: str) -> str | None:
        """What a reply votes for; None when the pattern finds nothing, which is no vote."""
        if self.pattern is None:
            return vote(reply) or None
        found = self.pattern.search(reply)
        return normal(found.group(1) or "") if found else None


class BestOfModel(Sampled):
    """Gives the reply that a scorer likes best."""

    def __init__(self, lm: LanguageModel, config: BestOf, run: Run | None) -> None:
        super().__init__(lm, config.n, config.temperature, run.seed if run else 0)
        self.run, self.scorer = run, config.scorer

    def choose(self, prompts: Sequence[str], groups: Sequence[Sequence[str]]) -> list[int]:
        """Per prompt the place of the reply that is given; one that could not be scored is taken only when
        none could.

        Raises:
            StepError: no reply to any of the prompts could be scored.
        """
        if self.run is None:
            raise StepError("best of n needs a run to ask its scorer with")
        asked = [prompt for prompt, group in zip(prompts, groups, strict=True) for _ in group]
        replies = [reply for group in groups for reply in group]
        scores = self.run.score(self.scorer, asked, replies, [None] * len(replies))
        if scores and all(math.isnan(score) for score in scores):
            raise StepError(
                f"the scorer {self.scorer!r} could score none of {len(scores)} replies without a reference;"
                " choose another decode.scorer"
            )
        ranked = [-math.inf if math.isnan(score) else score for score in scores]
        return [
            max(range(self.n), key=lambda place: (ranked[start + place], -place))
            for start in range(0, len(ranked), self.n)
        ]


def majority(ballots: Sequence[str | None]) -> int:
    """The place of the first ballot for the commonest answer; of the first ballot at all when none is
    valid.
    """
    counts = Counter(ballot for ballot in ballots if ballot is not None)
    if not counts:
        return 0
    most = max(counts.values())
    return next(
        place for place, ballot in enumerate(ballots) if ballot is not None and counts[ballot] == most
    )
