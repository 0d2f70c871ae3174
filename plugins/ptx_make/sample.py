"""``make=sample``: n answers to every prompt, scored, and what is kept of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ptx import DataRef, DataSet, LanguageModel, ModelRef, Run
from ptx.lm.making.answering import answer
from ptx.lm.making.chunks import in_chunks
from ptx.lm.serving.packages import opened
from ptx.lm.training.rows import prompt_turns
from ptx_make import Sample
from ptx_make.kept import Scored, kept

Row = dict[str, Any]


def sample(run: Run, maker: Sample, model: ModelRef, data: DataSet) -> DataRef:
    """Write the rows that are kept of the answers to all prompts."""
    rows = data.rows("prompts")[: maker.limit]
    run.say(f"{maker.n} answers to each of {len(rows)} prompts")
    with opened(run, run.models.get("model", model)) as lm:
        found = in_chunks(
            run, "prompts", rows, maker.chunk, lambda part, seed: _answers(run, maker, lm, part, seed)
        )
    groups = [[Scored(*one) for one in group["answers"]] for group in found]
    made = [kept(maker, row, group) for row, group in zip(rows, groups, strict=True)]
    run.log(numbers(maker, groups, made), len(rows), len(rows))
    return DataRef.write(run.folder / "data", {maker.keep: [row for some in made for row in some]})


def _answers(run: Run, maker: Sample, lm: LanguageModel, rows: Sequence[Row], seed: int) -> list[Row]:
    """The scored answers to some prompts, as rows that a checkpoint can hold."""
    groups = answer(lm, maker, rows, maker.n, seed)
    asked = [(row, one) for row, group in zip(rows, groups, strict=True) for one in group if one.finished]
    scores = iter(_scores(run, maker, asked))
    return [
        {
            "answers": [
                [str(one), next(scores) if one.finished else math.nan, one.tokens, one.finished]
                for one in group
            ]
        }
        for group in groups
    ]


def _scores(run: Run, maker: Sample, asked: Sequence[tuple[Row, str]]) -> list[float]:
    if not maker.scorer or not asked:
        return [1.0] * len(asked)
    references = [None if row.get("answer") is None else str(row["answer"]) for row, _ in asked]
    prompts = [row["prompt"] if isinstance(row["prompt"], str) else prompt_turns(row) for row, _ in asked]
    return [
        float(score)
        for score in run.score(maker.scorer, prompts, [str(text) for _, text in asked], references)
    ]


def numbers(maker: Sample, groups: list[list[Scored]], made: list[list[Row]]) -> dict[str, float]:
    """What the report says of the step; scores are those of answers that have one."""
    answers = [one for group in groups for one in group]
    found = {
        "rows_in": len(groups),
        "acceptance": sum(bool(rows) for rows in made) / len(groups),
        "answers": len(answers),
        "unfinished": sum(not one.finished for one in answers),
        "distinct": sum(len({one.text.strip() for one in group}) for group in groups) / len(answers),
        "tokens": sum(one.tokens for one in answers),
    }
    if maker.scorer and maker.keep == "messages":
        # the KL divergence of best-of-n from the model is no more than this (Beirami et al. 2024)
        found["kl_bound"] = math.log(maker.n) - (maker.n - 1) / maker.n
    if maker.scorer:
        best = [max(scores) for group in groups if (scores := [one.score for one in group if _has(one)])]
        scored = [one.score for one in answers if _has(one)]
        found["unscored"] = sum(one.finished and math.isnan(one.score) for one in answers)
        found |= (
            {"mean_score": sum(scored) / len(scored), "best_score": sum(best) / len(best)} if scored else {}
        )
    return {name: float(value) for name, value in found.items()}


def _has(one: Scored) -> bool:
    return not math.isnan(one.score)
