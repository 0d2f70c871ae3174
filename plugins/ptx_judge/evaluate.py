"""Compare a model's answers with others: ask the judge in both orders, and make metrics and rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ptx import Evaluation, LanguageModel, Metric, ModelRef, Run, Score, Scorer, StepError
from ptx.lm.evaluation.ask import seconds_of
from ptx.lm.evaluation.orders import both_orders
from ptx.stats.items import latency_column
from ptx_judge import answers, ledger, outcomes, questions
from ptx_judge.config import Judge
from ptx_judge.outcomes import UNCHECKED, WIN_RATE, Outcome
from ptx_judge.questions import Question

SCORE = "judge/score"


def evaluate(
    run: Run, evaluator: Judge, model: ModelRef, lm: LanguageModel | None, baseline: ModelRef | None
) -> Evaluation:
    """Compare the model's answers with the baseline's (or the references), and grade them if asked to.

    Raises:
        StepError: there are no questions, or the judge gave no verdict at all.
    """
    assert lm is not None  # Judge.opens_model
    assert baseline is not None
    asked = questions.load(evaluator.tasks)
    if evaluator.against == "references":
        asked = [question for question in asked if question.reference is not None]
    asked = asked[: evaluator.limit]
    if not asked:
        raise StepError(
            "there are no questions to ask; name a file with some: eval.judge.tasks=[./questions.jsonl]"
        )
    ours = answers.answers(run, evaluator, model, lambda: lm, asked)
    pairs = Pairs(asked, ours, opponent_answers(run, evaluator, model, baseline, asked))
    comparison = compare(run, evaluator, pairs)
    return Evaluation(comparison.metrics(), comparison.rows())


def opponent_answers(
    run: Run, config: Judge, model: ModelRef, baseline: ModelRef, asked: Sequence[Question]
) -> Sequence[str]:
    """The answers to compare with: references, the baseline's, or those of the folder in ``against``."""
    if config.against == "references":
        return [str(question.reference) for question in asked]
    other = ModelRef.of(Path(config.opponent).expanduser()) if config.opponent else baseline
    if other.digest == model.digest and not run.config.chain() and not (run.plan and run.plan.baseline):
        run.say(
            "the model is compared with itself, because the questions have no references; name another:"
            " eval.judge.against=./its-folder"
        )
    return answers.of_other(run if config.opponent else run.of_baseline(), config, other, asked)


@dataclass(frozen=True)
class Pairs:
    """Questions, and two answers to each."""

    questions: Sequence[Question]
    ours: Sequence[str]
    theirs: Sequence[str]

    @property
    def texts(self) -> list[str]:
        """The questions as text."""
        return [question.text for question in self.questions]

    @property
    def lengths(self) -> list[tuple[int, int]]:
        """Characters of both answers."""
        return [(len(a), len(b)) for a, b in zip(self.ours, self.theirs, strict=True)]

    @property
    def same(self) -> list[bool]:
        """Whether the two answers are equal."""
        return [a == b for a, b in zip(self.ours, self.theirs, strict=True)]


def compare(run: Run, config: Judge, pairs: Pairs) -> Comparison:
    """Ask the judge about all pairs; a judge that cannot compare scores both answers instead.

    Raises:
        StepError: the judge gave no verdict at all.
    """
    scorer: Scorer = run.config.scorer[config.scorer]
    check = ledger.find(config.scorer, scorer, config.margin)
    comparing = scorer.comparing()
    scores: list[float] = []
    verdicts: list[tuple[float, float]] = []
    if comparing is None:
        scores, theirs = graded(run, scorer, pairs, pairs.ours), graded(run, scorer, pairs, pairs.theirs)
        rows = zip(scores, theirs, pairs.lengths, pairs.same, strict=True)
        found = [outcomes.of_scores(a, b, config.margin, lengths, same=same) for a, b, lengths, same in rows]
    else:
        verdicts = both_orders(run, comparing, pairs.texts, pairs.ours, pairs.theirs)
        asked = zip(verdicts, pairs.lengths, pairs.same, strict=True)
        found = [Outcome(*both, lengths, same) for both, lengths, same in asked]
        scores = graded(run, scorer, pairs, pairs.ours) if config.grade else []
    differ = [outcome for outcome in found if not outcome.same]
    if differ and not any(outcome.known for outcome in differ):
        raise StepError(
            f"the judge {config.scorer} gave no verdict on any of {len(differ)} pairs of"
            f" answers{why_none(verdicts)}"
        )
    name = WIN_RATE if check and check.kappa >= config.min_kappa else UNCHECKED
    signed = f"{config.scorer} {ledger.key_of(scorer)}"
    made = Comparison(run, config, scorer, pairs, check, name, signed, scores, verdicts, found)
    run.say(made.trust())
    return made


def graded(run: Run, scorer: Scorer, pairs: Pairs, texts: Sequence[str]) -> list[float]:
    """The judge's score of each of ``texts`` by itself."""
    return run.score(scorer, pairs.texts, list(texts), [one.reference for one in pairs.questions])


def why_none(verdicts: Sequence[tuple[float, float]]) -> str:
    """Why a judge gave no verdict: what it replied first, or that it may need references."""
    said = next((verdict for pair in verdicts for verdict in pair if isinstance(verdict, Score)), None)
    return (
        f"; the first is {said.status}: {said.said[:200]!r}"
        if said
        else "; a judge that needs references needs questions with them"
    )


@dataclass(frozen=True)
class Comparison:
    """One comparison, judged: everything that its metrics and rows are made of."""

    run: Run
    config: Judge
    scorer: Scorer
    pairs: Pairs
    check: ledger.Check | None
    name: str  # of the win-rate
    signed: str  # the judge's name and key
    scores: list[float]  # of our answers; empty where none were asked for
    verdicts: list[tuple[float, float]]  # in both orders; empty for a judge that scores
    outcomes: list[Outcome]

    def trust(self) -> str:
        """How far the judge agrees with humans, in a sentence."""
        name = self.config.scorer
        if self.check is None:
            return (
                f"the judge {name} was never checked against humans, so its win-rate is marked as unchecked;"
                " run ptx judge check"
            )
        if self.name == UNCHECKED:
            return (
                f"the judge {name} agrees too little with humans, so its win-rate is marked as unchecked:"
                f" {self.check}; wanted {self.config.min_kappa}"
            )
        return f"the judge {name} was checked: {self.check}"

    def metrics(self) -> list[Metric]:
        """The win-rate and the metrics beside it, grades, segments."""
        found = [
            outcomes.win_rate(self.name, self.outcomes),
            *outcomes.around(self.name, self.outcomes),
            *self._controlled(),
        ]
        if self.check:
            found.append(
                Metric(
                    f"{self.name}/kappa",
                    self.check.kappa,
                    "kappa",
                    "higher",
                    self.check.low,
                    self.check.high,
                    self.check.n,
                    note=str(self.check) if math.isnan(self.check.kappa) else "",
                )
            )
        found += outcomes.mean_score(SCORE, self.scores, self.scorer.bounds) if self.scores else []
        segments = [question.segments for question in self.pairs.questions]
        return found + outcomes.by_segment(
            segments, self.outcomes, lambda segment, part: outcomes.win_rate(self.name, part, segment)
        )

    def _controlled(self) -> list[Metric]:
        """The win-rate at equal length; without a value, but with the reason, where it cannot be told."""
        known = [outcome for outcome in self.outcomes if outcome.known]
        if all(outcome.same for outcome in known):
            return []
        columns = [
            np.array(column, dtype=float)
            for column in zip(*((one.value, *one.lengths) for one in known), strict=True)
        ]
        found = outcomes.length_controlled(f"{self.name}/length_controlled", *columns)
        if found.note:
            self.run.say(f"{found.name}: {found.note}")
        return [found]

    def rows(self) -> list[dict[str, Any]]:
        """One row per question."""
        return [self._row(index) for index in range(len(self.outcomes))]

    def _row(self, index: int) -> dict[str, Any]:
        question, outcome = self.pairs.questions[index], self.outcomes[index]
        scores = {self.name: or_null(outcome.value)}
        if self.scores:
            scores[SCORE] = or_null(self.scores[index])
        row: dict[str, Any] = {
            "item": question.id,
            "scores": scores,
            "segments": question.segments,
            "judge": self.signed,
        }
        row |= {
            "prompt": question.text,
            "output": self.pairs.ours[index],
            "target": self.pairs.theirs[index],
            "reference": question.reference,
        }
        row |= latency_column(seconds_of(self.pairs.ours[index]))
        if self.verdicts and not outcome.same:
            row["said"] = [getattr(verdict, "said", "") for verdict in self.verdicts[index]]
        if not outcome.known:
            missing = [
                v
                for v in (self.verdicts[index] if self.verdicts else (self.scores[index],))
                if isinstance(v, Score) and math.isnan(v)
            ]
            row["status"] = missing[0].status if missing else "unparsable"
        return row


def or_null(score: float) -> float | None:
    """A score for a row: null if there is none; the row's status says why."""
    return None if math.isnan(score) else float(score)
