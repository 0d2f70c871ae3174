"""Several answers of a model to each of a few prompts, and what scorers give them.

GRPO and RLOO compare the answers to one prompt, so a prompt whose answers all earn the same reward teaches
nothing. ``ptx advise --measure`` and ``ptx check --rewards`` look at it before anything is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ptx.config import Method
from ptx.hooks.run import LanguageModel, Run

ROWS = 32  # prompts that are tried where no number is given
SAMPLES = 8  # answers to a prompt, as GRPO's groups have
LONGEST = 256  # tokens of an answer
Row = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Sampling:
    """How answers are sampled, and the scorers with their weights; the defaults are GRPO's."""

    samples: int = SAMPLES
    tokens: int = LONGEST
    temperature: float = 1.0
    rewards: Mapping[str, float] = field(default_factory=lambda: {"answer": 1.0})

    @staticmethod
    def of(method: Method | None) -> Sampling:
        """As a method that learns from rewards samples; the defaults for any other."""
        names: Sequence[str] = getattr(method, "rewards", None) or ()
        if not names:
            return Sampling()
        weights: Sequence[float] = getattr(method, "reward_weights", None) or [1.0] * len(names)
        return Sampling(
            max(getattr(method, "num_generations", SAMPLES), 2),
            getattr(method, "max_completion_length", LONGEST),
            getattr(method, "temperature", 1.0),
            dict(zip(names, weights, strict=True)),
        )


def spread(rows: Sequence[T], most: int) -> list[T]:
    """Up to ``most`` rows, from the first to the last in equal steps."""
    step = max(len(rows) / most, 1)
    return [rows[int(place * step)] for place in range(min(most, len(rows)))]


def turns_of(prompt: Any) -> list[dict[str, Any]]:
    """A prompt as the messages of a conversation."""
    return prompt if isinstance(prompt, list) else [{"role": "user", "content": str(prompt)}]


def asked(lm: LanguageModel, turns: list[dict[str, Any]]) -> str:
    """The conversation as the model reads it before an answer."""
    if not getattr(lm.tokenizer, "chat_template", None):
        return "\n".join(str(turn.get("content") or "") for turn in turns)
    return str(lm.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))


def fits(lm: LanguageModel, text: str, more: int) -> bool:
    """Whether the model can read the text and write ``more`` tokens."""
    return len(lm.tokenizer(text, add_special_tokens=False)["input_ids"]) + more <= lm.max_length


def scored(run: Run, lm: LanguageModel, rows: Sequence[Row], how: Sampling) -> list[list[float] | None]:
    """The rewards of the answers to each row's prompt; None where the prompt leaves no room for an answer.

    An answer's reward is the weighted sum of its scores, nan where a scorer could not score it.
    """
    longest = min(how.tokens, lm.max_length // 2)
    texts = [asked(lm, turns_of(row["prompt"])) for row in rows]
    read = [place for place, text in enumerate(texts) if fits(lm, text, longest)]
    repeated = [place for place in read for _ in range(how.samples)]
    groups: list[list[float] | None] = [None] * len(rows)
    if not repeated:
        return groups
    answers = lm.generate(
        [texts[place] for place in repeated], longest, temperature=how.temperature, seed=run.seed
    )
    prompts = [rows[place]["prompt"] for place in repeated]
    found = [rows[place].get("answer") for place in repeated]
    references = [None if answer is None else str(answer) for answer in found]
    totals = [0.0] * len(repeated)
    for name, weight in how.rewards.items():
        scores = run.score(name, prompts, answers, references)
        totals = [total + weight * float(score) for total, score in zip(totals, scores, strict=True)]
    for number, place in enumerate(read):
        groups[place] = totals[number * how.samples : (number + 1) * how.samples]
    return groups
