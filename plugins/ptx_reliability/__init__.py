"""``eval=[reliability]``: whether a model's answers can be relied on, over questions that carry what it takes
to tell.

Five parts, each on where the questions have what it needs (and it says which have not): hallucination
(answers that the reference does not support), citations (sources named, and rightly), format (JSON schema or
pattern), instructions (IFEval's verifiable ones, by lm-eval's checkers), and self-consistency (k samples: how
many agree, and whether their majority is right).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ptx import (
    Choice,
    Evaluation,
    Evaluator,
    Problem,
    Run,
    RunConfig,
    Scorer,
    hookimpl,
    must_be_at_least,
    setting,
)

EMBEDDED = Path(__file__).parent / "data" / "questions.jsonl"


@dataclass
class Reliability(Evaluator):
    """Hallucination, citations, format, instructions, self-consistency."""

    seeded: ClassVar[bool] = True
    questions: list[str] = setting(
        ["embedded"],
        "JSONL files of questions (docs/reliability.md has the columns; IFEval's as it is), or embedded",
    )
    support: str = setting("answer", "scorer that tells whether a reply is what the row's answer says")
    grounding: str = setting("word_support", "scorer that tells whether a source supports a sentence")
    abstention: str = setting("abstention", "scorer that tells a reply that declines to answer")
    samples: int = setting(
        5, "replies per question with an answer, for self-consistency; 0 leaves the part out"
    )
    temperature: float = setting(0.7, "of those samples")
    limit: int | None = setting(None, "only the first N questions")
    max_new_tokens: int = setting(256, "longest reply, in tokens")

    def __post_init__(self) -> None:
        if self.samples == 1 or self.samples < 0:
            raise ValueError(
                f"eval.reliability.samples must be 0 or at least 2, got {self.samples}; try"
                " eval.reliability.samples=5"
            )
        if not self.temperature > 0:
            raise ValueError(
                f"eval.reliability.temperature must be positive, got {self.temperature}; try"
                " eval.reliability.temperature=0.7"
            )
        for name in ("limit", "max_new_tokens"):
            must_be_at_least(f"eval.reliability.{name}", getattr(self, name), 1, 64)

    def scorers(self) -> list[str]:
        """Those that tell what is supported, and what declines."""
        return list(dict.fromkeys([self.support, self.grounding, self.abstention]))

    def inputs(self) -> list[Path]:
        """The files of questions."""
        return [EMBEDDED if entry == "embedded" else Path(entry) for entry in self.questions]


@dataclass
class Abstention(Scorer):
    """1 when the reply says that it does not know or cannot answer; else 0. English, Spanish, German and
    French phrases.
    """

    also: list[str] = setting([], "further phrases")


@dataclass
class WordSupport(Scorer):
    """1 when every number of the reply and enough of its content words stand in the reference; else 0.

    A likeness of words: it finds what a source does not mention, and misses what it says otherwise. nan
    without a reference, or for a reply of no content words.
    """

    share: float = setting(0.75, "least share of content words that must stand in the reference")

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(
                f"scorer.word_support.share must be in (0, 1], got {self.share}; try"
                " scorer.word_support.share=0.75"
            )


@hookimpl
def ptx_choices() -> list[Choice]:
    """``eval=[reliability]`` and two scorers."""
    libraries = ("lm-eval", "jsonschema", "langdetect", "nltk", "transformers", "torch")
    return [
        Choice(
            "eval",
            "reliability",
            Reliability,
            "hallucination, citations, format, instructions, self-consistency",
            libraries,
            version="2",
        ),
        Choice("scorer", "abstention", Abstention, "the reply declines to answer"),
        Choice("scorer", "word_support", WordSupport, "the reply's numbers and words stand in the reference"),
    ]


@hookimpl
def ptx_validate(config: RunConfig) -> list[Problem]:
    """Questions that cannot be read, schemas and patterns that are none."""
    from ptx_reliability.questions import problems

    return [
        problem
        for evaluator in config.eval.values()
        if isinstance(evaluator, Reliability)
        for problem in problems(evaluator)
    ]


@hookimpl
def ptx_evaluate(run: Run, evaluator: Evaluator, lm: Any | None) -> Evaluation | None:
    """Ask, and check the replies."""
    if not isinstance(evaluator, Reliability):
        return None
    from ptx_reliability.evaluate import evaluate

    return evaluate(run, evaluator, lm)


@hookimpl
def ptx_score(scorer: Scorer, completions: list[str], references: list[str | None]) -> list[float] | None:
    """Score with one of the two."""
    from ptx_reliability import grounded

    match scorer:
        case Abstention():
            return [float(grounded.abstains(text, scorer.also)) for text in completions]
        case WordSupport():
            return [
                grounded.supported(text, source, scorer.share)
                for text, source in zip(completions, references, strict=True)
            ]
    return None
