"""Scorers that need no model: right answers (numbers, formulas, words), a format, a length.

GRPO takes its rewards from them by name. To add a scorer, write a plugin with a dataclass derived from
``ptx.Scorer``, a ``Choice("scorer", name, ...)`` and a ``ptx_score`` hook that recognises the dataclass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ptx import Choice, Scorer, hookimpl, must_be_at_least, setting
from ptx.guard.patterns import of_user


@dataclass
class Answer(Scorer):
    r"""1 when the reply's answer is the reference's; else 0.

    The answer is what follows ``####``, stands in the last ``\boxed{}``, or follows "answer is" (also in
    Spanish, German and French); without any of these it is the whole text, or its last number or formula.
    Compared are numbers (with units, percent, currency, thousands; 3 h 20 min is 200 min), formulas (by
    math-verify: ``(x-1)(x+1)`` is ``x^2-1``), tuples, sets, intervals, matrices, choices (A to J), and words.
    Several answers where the reference has one ("5 or 6") score 0.
    """

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    tolerance: float = setting(
        1e-6,
        "largest difference between numbers that still counts as equal; below 1 relative to the reference",
    )

    def __post_init__(self) -> None:
        must_be_at_least("scorer.answer.tolerance", self.tolerance, 0, "1e-6")


@dataclass
class Exact(Scorer):
    """1 when the answer equals the reference, apart from case, spaces and punctuation at the ends; else 0."""

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    case: bool = setting(False, "whether upper and lower case differ")


@dataclass
class Numeric(Scorer):
    r"""1 when the answer's number equals the reference's; else 0.

    It is the number after ``####``, in the last ``\boxed{}`` or after "answer is"; without any of these the
    last number. A number inside a formula is no answer: ``\boxed{x^{2}+1}`` states none.
    """

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    tolerance: float = setting(
        1e-6, "largest difference that still counts as equal; below 1 relative to the reference"
    )

    def __post_init__(self) -> None:
        must_be_at_least("scorer.numeric.tolerance", self.tolerance, 0, "1e-6")


@dataclass
class Regex(Scorer):
    """1 when the answer has the wanted format; else 0."""

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    pattern: str = setting(r"(?s).*\S.*", "regular expression (Python's)")
    full: bool = setting(True, "the whole answer must match; false: a part of it")

    def __post_init__(self) -> None:
        of_user(self.pattern, "scorer.regex.pattern", "'.*answer.*'")


@dataclass
class Length(Scorer):
    """A penalty beside another reward: 0 up to a number of words, then falling to -1."""

    bounds: ClassVar[tuple[float, float]] = (-1.0, 0.0)

    words: int = setting(100, "number of words without penalty; at twice as many the score is -1")

    def __post_init__(self) -> None:
        must_be_at_least("scorer.length.words", self.words, 1, 100)


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``scorer=answer|exact|numeric|regex|length``."""
    return [
        Choice(
            "scorer",
            "answer",
            Answer,
            "the reply's answer equals the reference's: numbers, formulas, sets, choices, words",
            ("math-verify", "sympy"),
            version="4",
        ),
        Choice("scorer", "exact", Exact, "the answer equals the reference as text"),
        Choice("scorer", "numeric", Numeric, "the answer's number equals the reference's", version="4"),
        Choice("scorer", "regex", Regex, "the answer matches a regular expression"),
        Choice("scorer", "length", Length, "a penalty for long answers"),
    ]


@hookimpl
def ptx_score(scorer: Scorer, completions: list[str], references: list[str | None]) -> list[float] | None:
    """Score every answer with one of the five scorers; None for a scorer of another plugin."""
    from ptx_scorers import score

    match scorer:
        case Answer():
            return [
                score.answer(text, answer, scorer.tolerance)
                for text, answer in zip(completions, references, strict=True)
            ]
        case Exact():
            return [
                score.exact(text, answer, case=scorer.case)
                for text, answer in zip(completions, references, strict=True)
            ]
        case Numeric():
            return [
                score.numeric(text, answer, scorer.tolerance)
                for text, answer in zip(completions, references, strict=True)
            ]
        case Regex():
            return [score.matches(text, scorer.pattern, full=scorer.full) for text in completions]
        case Length():
            return [score.length(text, scorer.words) for text in completions]
    return None
