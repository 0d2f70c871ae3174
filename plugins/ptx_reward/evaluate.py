"""``eval=[reward]``: a scorer on held-out pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ptx import Evaluation, Metric, Run
from ptx.lm.evaluation.pairs import read_pairs
from ptx.stats import FEWEST, bootstrap
from ptx.stats.items import item_id, item_ids, measure, segments_of
from ptx_reward import RewardEvaluation
from ptx_reward.measures import calibration_error, credit, spearman

Row = dict[str, Any]
NAMES = ("accuracy", "accuracy_chosen_shorter")


def evaluate(run: Run, evaluator: RewardEvaluation) -> Evaluation:
    """Score both answers of every pair, in one call of the scorer."""
    pairs = read_pairs("eval.reward.pairs", evaluator.pairs, evaluator.limit)
    prompts = [pair["prompt"] for pair in pairs]
    answers = [pair[side] for side in ("chosen", "rejected") for pair in pairs]
    scores = run.score(evaluator.scorer, [*prompts, *prompts], answers, [None] * len(answers))
    names = item_ids("pair", [(pair["prompt"], pair["chosen"], pair["rejected"]) for pair in pairs])
    rows = [
        _row(name, pair, float(chosen), float(rejected))
        for name, pair, chosen, rejected in zip(
            names, pairs, scores[: len(pairs)], scores[len(pairs) :], strict=True
        )
    ]
    return Evaluation(_metrics(rows, run.seed), rows)


def _row(name: str, pair: Row, chosen: float, rejected: float) -> Row:
    known = not (math.isnan(chosen) or math.isnan(rejected))
    right = {"reward/accuracy": credit(chosen, rejected)} if known else {}
    if known and len(pair["chosen"]) < len(pair["rejected"]):
        right["reward/accuracy_chosen_shorter"] = right["reward/accuracy"]
    return {
        "item": name,
        "cluster": item_id(pair["prompt"]),  # pairs of one prompt are not independent
        "scores": {**right, "reward/unscored": float(not known)},
        "segments": segments_of(pair),
        "status": "ok" if known else "unscored",
        "chosen": chosen,
        "rejected": rejected,
        "lengths": [len(pair["chosen"]), len(pair["rejected"])],
    }


def _metrics(rows: Sequence[Row], seed: int) -> list[Metric]:
    found = [*measure("reward/accuracy", "fraction", "higher", rows)]
    if any("reward/accuracy_chosen_shorter" in row["scores"] for row in rows):
        found += measure("reward/accuracy_chosen_shorter", "fraction", "higher", rows)
    known = [row for row in rows if row["status"] == "ok"]
    if known:
        found.append(_resampled("reward/calibration_error", "fraction", _calibration, known, seed))
        found.append(_resampled("reward/length_correlation", "correlation", _length, known, seed))
    return [*found, *measure("reward/unscored", "fraction", "lower", rows)]


def _calibration(rows: Sequence[Row]) -> float:
    return calibration_error([row["chosen"] - row["rejected"] for row in rows])


def _length(rows: Sequence[Row]) -> float:
    scores = [row[side] for row in rows for side in ("chosen", "rejected")]
    return spearman(scores, [length for row in rows for length in row["lengths"]])


def _resampled(
    name: str, unit: str, statistic: Callable[[Sequence[Row]], float], rows: Sequence[Row], seed: int
) -> Metric:
    """A statistic with its interval by a bootstrap over prompts; without one below six pairs."""
    value = statistic(rows)
    clusters = [row["cluster"] for row in rows]
    low = high = math.nan
    if len(set(clusters)) >= FEWEST and not math.isnan(value):
        _, low, high = bootstrap(rows, statistic, clusters=clusters, seed=seed)
        low, high = min(low, value), max(high, value)
    if math.isnan(low) or math.isnan(high):
        low, high = -math.inf, math.inf
    return Metric(name, value, unit, "lower", low, high, len(rows))
