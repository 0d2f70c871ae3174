"""``decode=``: test-time compute, by majority vote or best of n.

It is the opposite trade-off to compression: better quality at a higher latency. It wraps the opened model, so
it works on every runtime. Every evaluator that generates text gets its answers, and log-likelihoods stay the
model's own. For the latency evaluator one request is the n generations of one answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from ptx import Choice, Decode, LanguageModel, Run, hookimpl, setting
from ptx.guard.patterns import of_user


@dataclass
class Majority(Decode):
    """Self-consistency (Wang et al. 2023): of n samples, the first one that states the most common answer."""

    n: int = setting(5, "samples per answer")
    temperature: float = setting(0.7, "temperature of the samples")
    pattern: str = setting(
        "", "regular expression whose first group is the vote; empty: the answer that a reply states"
    )

    def __post_init__(self) -> None:
        _check("majority", self.n, self.temperature)
        _check_pattern(self.pattern)


@dataclass
class BestOf(Decode):
    """Best of n (Stiennon et al. 2020): of n samples, the first one with the highest score."""

    n: int = setting(4, "samples per answer")
    temperature: float = setting(0.7, "temperature of the samples")
    scorer: str = setting(
        "", "name of the scorer that chooses; it gets the prompt as the model reads it, and no reference"
    )

    def __post_init__(self) -> None:
        _check("best_of", self.n, self.temperature)
        if not self.scorer:
            raise ValueError(
                "decode.scorer must name the scorer that chooses, got ''; try decode.scorer=length"
            )

    def scorers(self) -> list[str]:
        """The scorer that chooses."""
        return [self.scorer]


def _check(name: str, n: int, temperature: float) -> None:
    if n < 1:
        raise ValueError(f"decode.n must be at least 1, got {n}; try decode={name} decode.n=4")
    if not temperature > 0:
        raise ValueError(
            f"decode.temperature must be positive, got {temperature}, because all samples would be equal; try"
            " decode.temperature=0.7"
        )


def _check_pattern(pattern: str) -> None:
    if pattern and not of_user(pattern, "decode.pattern", "'answer is (.+)'").groups:
        raise ValueError(
            f"decode.pattern must have a group for the vote, got {pattern!r}; try 'answer is (.+)'"
        )


@hookimpl
def ptx_choices() -> list[Choice]:
    """``decode=majority|best_of``."""
    return [
        Choice(
            "decode", "majority", Majority, "majority vote over n samples (self-consistency)", version="2"
        ),
        Choice("decode", "best_of", BestOf, "the best of n samples by a scorer"),
    ]


@hookimpl
def ptx_decode(run: Run | None, decode: Decode, lm: LanguageModel) -> LanguageModel | None:
    """Wrap the model; without a run (where latency is measured) the seed is 0."""
    from ptx_decode.sampled import BestOfModel, MajorityModel

    if isinstance(decode, Majority):
        return MajorityModel(lm, decode, run.seed if run else 0)
    if isinstance(decode, BestOf):
        return BestOfModel(lm, decode, run)
    return None
