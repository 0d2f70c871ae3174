"""The evaluation: questions, two sets of answers, verdicts in both orders, metrics and rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ptx import Evaluation, LanguageModel, Metric, ModelRef, Run, Score, Scorer, StepError
from ptx.lm.evaluation.ask import seconds_of
from ptx.stats.items import latency_column
from ptx_judge import answers, ledger, outcomes, questions
from ptx_judge.config import Judge
from ptx_judge.outcomes import TIE, UNCHECKED, WIN_RATE, Outcome
from ptx_judge.questions import Question
from ptx_judge.solver import controlled_interval

SEED = 0  # of bootstraps
SCORE = "judge/score"


def evaluate(
    run: Run, config: Judge, model: ModelRef, lm: LanguageModel | None, baseline: ModelRef | None
) -> Evaluation:
    """Compare and grade."""
    assert lm is not None  # Judge.opens_model
    assert baseline is not None
    asked = questions.load(config.tasks)
    if config.against == "references":
        asked = [question for question in asked if question.reference is not None]
    asked = asked[: config.limit]
    if not asked:
        raise StepError(
            "there are no questions to ask; name a file with some: eval.judge.tasks=[./questions.jsonl]"
        )
    ours = answers.answers(run, config, model, lambda: lm, asked)
    theirs: Sequence[str]
    if config.against == "references":
        theirs = [str(question.reference) for question in asked]
    else:
        other = ModelRef.of(Path(config.opponent).expanduser()) if config.opponent else baseline
        if other.digest == model.digest and not run.config.chain() and not (run.plan and run.plan.baseline):
            run.say(
                "the model is held against itself, as the questions have no references; name another:"
                " eval.judge.against=./its-folder"
            )
        theirs = answers.of_other(run if config.opponent else run.of_baseline(), config, other, asked)
    scorer: Scorer = run.config.scorer[config.scorer]
    bench = Bench(run, config, scorer, asked, ours, theirs)
    bench.judge()
    return Evaluation(bench.metrics(), bench.rows())


@dataclass
class Bench:
    """One comparison: the bench that the judge sits on."""

    run: Run
    config: Judge
    scorer: Scorer
    asked: Sequence[Question]
    ours: Sequence[str]
    theirs: Sequence[str]

    def judge(self) -> None:
        """Ask what is to be asked."""
        self.check = ledger.find(self.config.scorer, self.scorer, self.config.margin)
        self.name = WIN_RATE if self.check and self.check.kappa >= self.config.min_kappa else UNCHECKED
        self.signed = f"{self.config.scorer} {ledger.key_of(self.scorer)}"
        comparing = self.scorer.comparing()
        self.scores: list[float] = []
        self.verdicts: list[tuple[float, float]] = []
        if comparing is None:
            self.outcomes = self._by_scores()
        else:
            self.verdicts = both_orders(
                self.run, comparing, [one.text for one in self.asked], self.ours, self.theirs
            )
            self.outcomes = [
                Outcome(*verdicts, lengths, same)
                for verdicts, lengths, same in zip(self.verdicts, self._lengths(), self._same(), strict=True)
            ]
            if self.config.grade:
                self.scores = self._graded(self.ours)
        open_ = [outcome for outcome in self.outcomes if not outcome.same]
        if open_ and not any(outcome.known for outcome in open_):
            raise StepError(
                f"the judge {self.config.scorer} gave no verdict on any of {len(open_)} pairs of"
                f" answers{self._why()}"
            )
        self.run.say(self.trust())

    def _by_scores(self) -> list[Outcome]:
        self.scores, theirs = self._graded(self.ours), self._graded(self.theirs)
        rows = zip(self.scores, theirs, self._lengths(), self._same(), strict=True)
        return [
            outcomes.of_scores(a, b, self.config.margin, lengths, same=same) for a, b, lengths, same in rows
        ]

    def _graded(self, texts: Sequence[str]) -> list[float]:
        return self.run.score(
            self.scorer, [one.text for one in self.asked], list(texts), [one.reference for one in self.asked]
        )

    def _lengths(self) -> list[tuple[int, int]]:
        return [(len(a), len(b)) for a, b in zip(self.ours, self.theirs, strict=True)]

    def _same(self) -> list[bool]:
        return [a == b for a, b in zip(self.ours, self.theirs, strict=True)]

    def _why(self) -> str:
        said = next(
            (verdict for pair in self.verdicts for verdict in pair if isinstance(verdict, Score)), None
        )
        return (
            f"; the first is {said.status}: {said.said[:200]!r}"
            if said
            else "; a judge that needs references needs questions with them"
        )

    def trust(self) -> str:
        """What the judge's word is worth, in a sentence."""
        name = self.config.scorer
        if self.check is None:
            return (
                f"the judge {name} was never checked against humans, so its win-rate is marked; ptx judge"
                " check does that"
            )
        if self.name == UNCHECKED:
            return (
                f"the judge {name} agrees too little with humans, so its win-rate is marked: {self.check};"
                f" wanted {self.config.min_kappa}"
            )
        return f"the judge {name} was checked: {self.check}"

    def metrics(self) -> list[Metric]:
        """The win-rate and what stands beside it, grades, segments."""
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
                )
            )
        found += outcomes.mean_score(SCORE, self.scores, self.scorer.bounds) if self.scores else []
        segments = [question.segments for question in self.asked]
        return found + outcomes.by_segment(
            segments, self.outcomes, lambda segment, part: outcomes.win_rate(self.name, part, segment)
        )

    def _controlled(self) -> list[Metric]:
        known = [outcome for outcome in self.outcomes if outcome.known]
        columns = [
            np.array(column, dtype=float)
            for column in zip(*((one.value, *one.lengths) for one in known), strict=True)
        ]
        found = controlled_interval(columns[0], columns[1], columns[2], SEED)
        if found is None:
            if not all(outcome.same for outcome in known):
                self.run.say(
                    "no length-controlled win-rate: these lengths and outcomes do not tell what it would be"
                    " at equal length"
                )
            return []
        return [
            Metric(
                f"{self.name}/length_controlled",
                found[0],
                "fraction",
                "higher",
                found[1],
                found[2],
                len(known),
            )
        ]

    def rows(self) -> list[dict[str, Any]]:
        """One row per question."""
        return [self._row(index) for index in range(len(self.asked))]

    def _row(self, index: int) -> dict[str, Any]:
        question, outcome = self.asked[index], self.outcomes[index]
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
            "output": self.ours[index],
            "target": self.theirs[index],
            "reference": question.reference,
        }
        row |= latency_column(seconds_of(self.ours[index]))
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
    """A score as a row holds it: null where there is none, and the row's status says why."""
    return None if math.isnan(score) else float(score)


def both_orders(
    run: Run, judge: Scorer, prompts: Sequence[str], ours: Sequence[str], theirs: Sequence[str]
) -> list[tuple[float, float]]:
    """Verdicts from our side in both orders, asked in one go; equal answers are a tie that nobody is asked
    about.
    """
    open_ = [index for index, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b]
    chosen = [prompts[index] for index in open_]
    first, second = [ours[index] for index in open_], [theirs[index] for index in open_]
    said = run.score(judge, chosen * 2, first + second, [*second, *first]) if open_ else []
    verdicts: list[tuple[float, float]] = [(TIE, TIE)] * len(prompts)
    for place, index in enumerate(open_):
        verdicts[index] = (said[place], turned(said[place + len(open_)]))
    return verdicts


def turned(verdict: float) -> float:
    """A verdict on (theirs, ours) from our side."""
    if isinstance(verdict, Score):
        return Score(1 - verdict, verdict.status, verdict.said)
    return 1 - verdict
