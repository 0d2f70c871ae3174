"""``decode=``: answers that take more compute at the time they are asked for: majority vote and best of n.

The same trade-off as compression from the other side: quality bought with latency. It wraps whatever the
runtime has opened, so it works on every runtime; every evaluator that generates text gets its answers;
log-likelihoods stay the model's own. A latency evaluator's request is the n generations of one answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ptx import Choice, Decode, Run, hookimpl, setting


@dataclass
class Majority(Decode):
    """Self-consistency (Wang et al. 2023): sample n replies, answer with the first of those that state the
    commonest answer.
    """

    n: int = setting(5, "replies sampled per answer")
    temperature: float = setting(0.7, "of the sampling")
    pattern: str = setting(
        "", "regular expression whose first group is what votes; empty: the answer that a reply states"
    )

    def __post_init__(self) -> None:
        _check("majority", self.n, self.temperature)
        _check_pattern(self.pattern)


@dataclass
class BestOf(Decode):
    """Best of n (Stiennon et al. 2020): sample n replies, answer with the one that a scorer likes best, the
    first of equals.
    """

    n: int = setting(4, "replies sampled per answer")
    temperature: float = setting(0.7, "of the sampling")
    scorer: str = setting(
        "", "name of the scorer that chooses; it sees the prompt as the model does, and no reference"
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
            f"decode.temperature must be positive, got {temperature}: n equal replies would be drawn; try"
            " decode.temperature=0.7"
        )


def _check_pattern(pattern: str) -> None:
    import re

    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(
            f"decode.pattern is no regular expression: {error}, got {pattern!r}; try 'answer is (.+)'"
        ) from error
    if pattern and not groups:
        raise ValueError(
            f"decode.pattern must have a group for what votes, got {pattern!r}; try 'answer is (.+)'"
        )


@hookimpl
def ptx_choices() -> list[Choice]:
    """``decode=majority|best_of``."""
    return [
        Choice("decode", "majority", Majority, "majority vote over n samples (self-consistency)"),
        Choice("decode", "best_of", BestOf, "the best of n samples, as a scorer says"),
    ]


@hookimpl
def ptx_decode(run: Run | None, decode: Decode, lm: Any) -> Any | None:
    """Wrap the model."""
    from ptx_decode.sampled import BestOfModel, MajorityModel

    if isinstance(decode, Majority):
        return MajorityModel(lm, decode, run.seed if run else 0)
    if isinstance(decode, BestOf):
        return BestOfModel(lm, decode, run)
    return None
