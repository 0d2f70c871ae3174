"""The per-item scores of a metric, so that two models can be compared item by item.

An evaluator's rows carry ``{"item", "scores": {metric name: float}, "segments"}``. A paired difference of
scores is a difference of the metric only if the metric *is* the mean of those scores; a p95 is not. So this
is checked: the scores are used only if their mean equals the recorded value. An evaluator whose metric weighs
items differently (``bench/mean``: every task the same) writes accordingly scaled scores under the metric's
name. An evaluator whose rows differ in size (a text's bytes) gives them a ``weight``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ptx.report.table.records import Record

Key = tuple[str, str]  # metric name, segment


def scores_of(records: Iterable[Record], evaluator: str, key: Key) -> list[dict[str, float]] | None:
    """Per record the item scores whose mean is the metric; None if any record has no such scores.

    The scores are item -> score, with NaN for an item without one. The mean is over the items that have a
    score, weighted if the rows have a weight.
    """
    found = []
    for record in records:
        scores = record.scores(evaluator)
        if not scores:
            return None
        value = next(
            (m.value for of, m in record.metrics if of == evaluator and (m.name, m.segment) == key), math.nan
        )
        chosen = scores.get(key) or scores.get((key[0].removeprefix(f"{evaluator}/"), key[1])) or {}
        if not _is_mean(chosen, record.column(evaluator, "weight"), value):
            return None
        found.append(chosen)
    return found or None


def index_scores(rows: Iterable[Mapping[str, Any]]) -> dict[Key, dict[str, float]]:
    """(Score's name, segment) -> item -> score; the segment "" holds every item.

    A score that is null becomes NaN (the row's status has the reason). This is one pass over the rows,
    because a benchmark can have 67,000 of them.
    """
    found: dict[Key, dict[str, float]] = {}
    for row in rows:
        segments = ["", *(f"{name}={value}" for name, value in _mapping(row.get("segments")).items())]
        for name, score in _mapping(row.get("scores")).items():
            if (score is None or isinstance(score, int | float)) and "item" in row:
                for segment in segments:
                    found.setdefault((name, segment), {})[str(row["item"])] = (
                        math.nan if score is None else float(score)
                    )
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one: a row may be a stranger's."""
    return value if isinstance(value, dict) else {}


def _is_mean(scores: Mapping[str, float], weights: Mapping[str, float] | None, value: float) -> bool:
    known = [item for item, score in scores.items() if not math.isnan(score)]
    item_weights = None if weights is None else [weights.get(item, 1.0) for item in known]
    return bool(known) and math.isclose(
        fmean([scores[item] for item in known], item_weights), value, rel_tol=1e-6, abs_tol=1e-9
    )
