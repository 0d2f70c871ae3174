"""``eval=[process]``: the steps of held-out solutions, and the first error of each."""

from __future__ import annotations

import json
import math
from typing import Any

from ptx import Evaluation, Run
from ptx.stats.items import item_id, item_ids, measure, segments_of
from ptx_process import ProcessEvaluation
from ptx_process.check import solutions_of
from ptx_process.steps import SEPARATOR, lines_of

Row = dict[str, Any]
ACCURACY, FIRST, UNSCORED = "process/accuracy", "process/first_error", "process/unscored"
RIGHT_FROM = 0.5


def evaluate(run: Run, evaluator: ProcessEvaluation) -> Evaluation:
    """Score every solution once, and compare its steps with their labels."""
    solutions = solutions_of(evaluator)
    prompts = [one["prompt"] for one in solutions]
    texts = [SEPARATOR.join(" ".join(lines_of(step)) for step in one["steps"]) for one in solutions]
    scores = run.score(evaluator.scorer, prompts, texts, [None] * len(texts))
    names = item_ids("solution", [(one["prompt"], one["steps"]) for one in solutions])
    rows: list[Row] = []
    steps: list[Row] = []
    for name, solution, score in zip(names, solutions, scores, strict=True):
        judged = [] if math.isnan(score) else json.loads(getattr(score, "said", "") or "[]")
        rows.append(row_of(name, solution, judged))
        steps += steps_of(name, solution, judged)
    found = [*measure(ACCURACY, "fraction", "higher", steps), *measure(FIRST, "fraction", "higher", rows)]
    return Evaluation([*found, *measure(UNSCORED, "fraction", "lower", rows)], rows)


def row_of(name: str, solution: Row, judged: list[float]) -> Row:
    """The row of a solution: whether its first error is found, and the share of steps judged right."""
    scores = {UNSCORED: float(not judged)}
    if judged:
        known = [step["scores"][ACCURACY] for step in steps_of(name, solution, judged)]
        found = first_error([value >= RIGHT_FROM for value in judged]) == first_error(solution["labels"])
        scores |= {FIRST: float(found), ACCURACY: sum(known) / len(known)}
    return {
        "item": name,
        "cluster": item_id(solution["prompt"]),  # solutions of one problem are not independent
        "scores": scores,
        "segments": segments_of(solution),
        "status": "ok" if judged else "unscored",
        "steps": judged,
        "labels": solution["labels"],
    }


def steps_of(name: str, solution: Row, judged: list[float]) -> list[Row]:
    """A row per step; the steps of one problem are one cluster."""
    return [
        {
            "item": f"{name}:{place}",
            "cluster": item_id(solution["prompt"]),
            "scores": {ACCURACY: float((value >= RIGHT_FROM) == label)},
        }
        for place, (value, label) in enumerate(zip(judged, solution["labels"], strict=bool(judged)))
    ]


def first_error(labels: list[bool]) -> int | None:
    """The place of the first step that is wrong; None where all are right."""
    return next((place for place, label in enumerate(labels) if not label), None)
