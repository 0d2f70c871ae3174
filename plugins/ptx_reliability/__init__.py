"""``eval=[reliability]``: whether a model's answers can be relied on.

There are five parts. Each is measured if the questions have the columns that it needs; a message names the
parts that are left out.

- hallucination: answers that the reference does not support;
- citations: whether sources are named, and whether they are the right ones;
- format: a JSON schema or a pattern;
- instructions: IFEval's verifiable ones, by lm-eval's checkers;
- self-consistency: of k samples, how many agree, and whether their majority is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ptx import Choice, Evaluator, Problem, RunConfig, Scorer, hookimpl, must_be_at_least, setting

EMBEDDED = Path(__file__).parent / "data" / "questions.jsonl"


@dataclass
class Reliability(Evaluator):
    """Hallucination, citations, format, instructions, self-consistency."""

    seeded: ClassVar[bool] = True
    metrics: ClassVar[Mapping[str, str]] = {
        "reliability/hallucination_rate": "The fraction of answers that the reference does not support;"
        " lower is better.",
        "reliability/supported_rate": "The fraction of answers that the reference supports; higher is"
        " better.",
        "reliability/abstention_rate": "The fraction of replies that decline to answer; lower is better.",
        "reliability/citation_rate": "The fraction of answers that cite a source; higher is better.",
        "reliability/citation_correctness": "The fraction of an answer's citations that are right; higher is"
        " better.",
        "reliability/format_valid_rate": "The fraction of replies with the required form; higher is better.",
        "reliability/instructions/{level}": "The fraction of prompts or instructions that are followed, as"
        " IFEval counts; higher is better.",
        "reliability/self_consistency": "The fraction of samples that state the most common answer; higher is"
        " better.",
        "reliability/majority_accuracy": "The fraction of questions whose most common answer is right;"
        " higher is better.",
        "reliability/sample_accuracy": "The fraction of samples that are right; higher is better.",
        "reliability/unscored_rate": "The fraction of questions with a score missing; lower is better.",
        "reliability/hallucination_rate/at_best": "The rate if every question without a verdict were"
        " supported; lower is better.",
        "reliability/hallucination_rate/at_worst": "The rate if every question without a verdict were"
        " unsupported; lower is better.",
    }
    questions: list[str] = setting(
        ["embedded"],
        "JSONL files of questions (columns: `ptx docs reliability`; IFEval's as it is), or embedded",
    )
    support: str = setting("answer", "scorer that decides whether a reply agrees with the row's answer")
    grounding: str = setting("word_support", "scorer that decides whether a source supports a sentence")
    abstention: str = setting("abstention", "scorer that decides whether a reply declines to answer")
    samples: int = setting(
        5, "samples per question with an answer, for self-consistency; 0 leaves the part out"
    )
    temperature: float = setting(0.7, "temperature of those samples")
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
        """The scorers of support, grounding and abstention."""
        return list(dict.fromkeys([self.support, self.grounding, self.abstention]))

    def inputs(self) -> list[Path]:
        """The files of questions."""
        return [EMBEDDED if entry == "embedded" else Path(entry) for entry in self.questions]


@dataclass
class Abstention(Scorer):
    """1 if the reply says that it does not know or cannot answer; else 0.

    The phrases are English, Spanish, German and French.
    """

    also: list[str] = setting([], "further phrases")


@dataclass
class WordSupport(Scorer):
    """1 if the reference holds every number of the reply and enough of its content words; else 0.

    Only words are compared: it finds what a source does not mention, and misses what it states in other
    words. nan without a reference, or for a reply without content words.
    """

    share: float = setting(0.75, "least share of content words that the reference must hold")

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
            version="3",
            calls="ptx_reliability.evaluate:evaluate",
        ),
        Choice(
            "scorer",
            "abstention",
            Abstention,
            "the reply declines to answer",
            calls="ptx_reliability.grounded:abstention",
        ),
        Choice(
            "scorer",
            "word_support",
            WordSupport,
            "the reference holds the reply's numbers and words",
            calls="ptx_reliability.grounded:word_support",
        ),
    ]


@hookimpl
def ptx_validate(config: RunConfig) -> list[Problem]:
    """Report questions that cannot be read, and invalid schemas and patterns."""
    from ptx_reliability.questions import problems

    return [
        problem
        for evaluator in config.eval.values()
        if isinstance(evaluator, Reliability)
        for problem in problems(evaluator)
    ]
