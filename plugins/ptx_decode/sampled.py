"""A language model that samples n replies and returns one of them.

It imports no ML library, because it only calls the model that it wraps.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from typing_extensions import override

from ptx import LanguageModel, Run, StepError
from ptx.guard import patterns
from ptx.lm.evaluation.answers import normal
from ptx.lm.evaluation.equality import ballots
from ptx_decode import BestOf, Majority

SPREAD = 1_000_003  # a prime that keeps the seeds of two calls apart


class Sampled(ABC):
    """Samples n replies per prompt in one call of the wrapped model, and returns one of them.

    Everything else is the wrapped model's. A subclass implements :meth:`choose`.
    """

    def __init__(self, lm: LanguageModel, n: int, temperature: float, seed: int) -> None:
        self.lm, self.n, self.temperature, self.seed = lm, n, temperature, seed
        self.tokenizer, self.max_length = lm.tokenizer, lm.max_length
        self.emulated = getattr(lm, "emulated", "")
        if hasattr(lm, "time_request"):  # without one, ptx_latency times generate
            self.time_request = self._time_request
        if hasattr(lm, "loglikelihood_tokens"):  # without one, its logits are used
            self.loglikelihood_tokens = lm.loglikelihood_tokens
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
        """One reply per prompt out of ``n`` samples; a positive ``temperature`` replaces the own one."""
        repeated = [prompt for prompt in prompts for _ in range(self.n)]
        chosen = self.seed * SPREAD + seed
        replies = self.lm.generate(
            repeated, max_new_tokens, stop=stop, temperature=temperature or self.temperature, seed=chosen
        )
        groups = [replies[start : start + self.n] for start in range(0, len(replies), self.n)]
        return [group[place] for group, place in zip(groups, self.choose(prompts, groups), strict=True)]

    @abstractmethod
    def choose(self, prompts: Sequence[str], groups: Sequence[Sequence[str]]) -> list[int]:
        """The index of the reply to return, per prompt."""

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, bool]]:
        """The wrapped model's log-likelihoods."""
        return self.lm.loglikelihood(pairs)

    def logits(self, rows: Sequence[Sequence[int]]) -> Iterator[Any]:
        """The wrapped model's logits."""
        return self.lm.logits(rows)

    def _time_request(self, prompt_tokens: int, new_tokens: int, batch_size: int = 1) -> tuple[float, float]:
        """Time one request: n samples generated at once, without the time of choosing among them."""
        return self.lm.time_request(prompt_tokens, new_tokens, batch_size * self.n)

    def close(self) -> None:
        """Close the wrapped model."""
        self.lm.close()


class MajorityModel(Sampled):
    """Returns the first reply that states the most common answer; of a tie, the answer stated first."""

    def __init__(self, lm: LanguageModel, config: Majority, seed: int) -> None:
        super().__init__(lm, config.n, config.temperature, seed)
        self.pattern = patterns.compile(config.pattern, where="decode.pattern") if config.pattern else None

    @override
    def choose(self, prompts: Sequence[str], groups: Sequence[Sequence[str]]) -> list[int]:
        return [majority(self.ballots(group)) for group in groups]

    def ballots(self, replies: Sequence[str]) -> list[str | None]:
        """The answers that the replies vote for; None if one has none, or the pattern finds nothing."""
        if self.pattern is None:
            return ballots(replies)
        found = [self.pattern.search(reply) for reply in replies]
        return [normal(match.group(1) or "") if match else None for match in found]


class BestOfModel(Sampled):
    """Returns the reply with the highest score, the first of equals."""

    def __init__(self, lm: LanguageModel, config: BestOf, run: Run | None) -> None:
        super().__init__(lm, config.n, config.temperature, run.seed if run else 0)
        self.run, self.scorer = run, config.scorer

    @override
    def choose(self, prompts: Sequence[str], groups: Sequence[Sequence[str]]) -> list[int]:
        """The index of the best reply, per prompt; a reply without a score only if none has one.

        Raises:
            StepError: no reply to any of the prompts could be scored.
        """
        if self.run is None:
            raise StepError("best of n needs a run, to ask its scorer")
        asked = [prompt for prompt, group in zip(prompts, groups, strict=True) for _ in group]
        replies = [reply for group in groups for reply in group]
        scores = self.run.score(self.scorer, asked, replies, [None] * len(replies))
        if scores and all(math.isnan(score) for score in scores):
            raise StepError(
                f"the scorer {self.scorer!r} could score none of {len(scores)} replies without a reference;"
                " type another decode.scorer"
            )
        ranked = [-math.inf if math.isnan(score) else score for score in scores]
        return [
            max(range(self.n), key=lambda place: (ranked[start + place], -place))
            for start in range(0, len(ranked), self.n)
        ]


def majority(ballots: Sequence[str | None]) -> int:
    """The index of the first ballot for the most common answer; 0 if no ballot is valid."""
    counts = Counter(ballot for ballot in ballots if ballot is not None)
    if not counts:
        return 0
    most = max(counts.values())
    return next(
        place for place, ballot in enumerate(ballots) if ballot is not None and counts[ballot] == most
    )
