"""The item table: per-example rows, and the metrics computed from them.

An evaluator writes one row per example (:class:`ptx.Evaluation` documents its columns). The overall metric,
the metrics of its segments, the rate of items without a score and all comparisons of a report are computed
from these rows, so they cannot contradict each other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from ptx.files import digest_of
from ptx.records import Better, Metric
from ptx.stats import proportion, score_interval, span_of

Row = Mapping[str, Any]
OK = "ok"
#: units whose values have a lower bound, at which an interval ends: no text has fewer bits than none
LEAST = {"bits/byte": 0.0, "nats/token": 0.0, "perplexity": 1.0}
#: common names of text columns in data sets; evaluators use those that are present as segments
SEGMENTS = ("language", "domain", "intent", "difficulty", "skill", "category")


def item_id(*content: Any) -> str:
    """A name for an example from its content alone: equal for every model, run and machine."""
    return digest_of(content)[:16]


def item_ids(of: str, contents: Iterable[Sequence[Any]]) -> list[str]:
    """``OF:DIGEST`` per example of a task or text, from its content: the question and the right answer.

    The name does not depend on the position of the example or on other examples. So a task file that is
    reordered or extended keeps its old names.
    """
    return numbered(f"{of}:{item_id(*content)}" for content in contents)


def numbered(names: Iterable[str]) -> list[str]:
    """The names made unique: repeated names get the suffix ``:2``, ``:3``, in the given order.

    Equal names stand for equal examples, so their order does not matter.
    """
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}:{seen[name]}")
    return found


def latency_column(seconds: float | None) -> dict[str, float]:
    """The column ``latency`` of a row, in seconds; empty for None, when the time is not known.

    An item of a batch gets its share of the batch's time.
    """
    return {} if seconds is None else {"latency": round(seconds, 6)}


def segments_of(record: Mapping[str, Any], columns: Sequence[str] = ()) -> dict[str, str]:
    """Dimension -> value of an example, from ``columns`` of its record (default: :data:`SEGMENTS`)."""
    return {name: str(record[name]) for name in columns or SEGMENTS if record.get(name) not in (None, "")}


def status_of(row: Row) -> str:
    """``ok``, or the reason why the row has no score."""
    return str(row.get("status") or OK)


def measure(name: str, unit: str, better: Better, rows: Iterable[Row]) -> list[Metric]:
    """The metric ``name`` over all rows that have a score of that name, and over each of their segments.

    Each metric is the (weighted) mean with its interval (:func:`ptx.stats.score_interval`). Rows with a
    ``cluster`` give clustered intervals. A row without a score counts in :func:`unscored`, never as 0.
    Without any score the metric is NaN with n = 0.
    """
    scored = [row for row in rows if isinstance((row.get("scores") or {}).get(name), int | float)]
    scored = [row for row in scored if not math.isnan(row["scores"][name])]
    found = [_metric(name, unit, better, scored, "")]
    for segment, part in by_segment(scored).items():
        found.append(_metric(name, unit, better, part, segment))
    return found


def by_segment(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """``dimension=value`` -> the rows of that segment; sorted by segment."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        for dimension, value in (row.get("segments") or {}).items():
            found.setdefault(f"{dimension}={value}", []).append(row)
    return dict(sorted(found.items()))


def unscored(prefix: str, rows: Iterable[Row]) -> list[Metric]:
    """``PREFIX/unscored``: the share of rows whose status is not ``ok``; no metric when all are."""
    states = [status_of(row) for row in rows]
    missing = sum(state != OK for state in states)
    if not missing:
        return []
    low, high = proportion(missing, len(states))
    return [Metric(f"{prefix}/unscored", missing / len(states), "fraction", "lower", low, high, len(states))]


def _metric(name: str, unit: str, better: Better, rows: Sequence[Row], segment: str) -> Metric:
    if not rows:
        return Metric(name, math.nan, unit, better, -math.inf, math.inf, 0, segment)
    values = [float(row["scores"][name]) for row in rows]
    value, low, high = score_interval(
        values, clusters=column(rows, "cluster"), weights=column(rows, "weight"), span=span_of(unit)
    )
    low = max(low, LEAST.get(unit, -math.inf))
    return Metric(name, value, unit, better, min(low, value), max(high, value), len(values), segment)


def column(rows: Sequence[Row], key: str) -> list[Any] | None:
    """A column of the table; None when no row has it.

    A row without a cluster is a cluster of its own; a row without a weight has the weight 1.
    """
    if not any(row.get(key) is not None for row in rows):
        return None
    return [
        row[key] if row.get(key) is not None else (row["item"] if key == "cluster" else 1.0) for row in rows
    ]


def ratio_scores(sums: Sequence[float], sizes: Sequence[float], weights: Sequence[float]) -> Iterator[float]:
    """Item scores whose mean, weighted by ``weights``, is exp(sum of ``sums`` / sum of ``sizes``).

    This is for perplexity, which is not a mean of item scores. Each score is the item's linearised share of
    it (delta method). So intervals and paired differences of the scores equal those of the perplexity to
    first order.
    """
    mean = math.fsum(sums) / math.fsum(sizes)
    value, scale = math.exp(mean), fmean(weights) / fmean(sizes)
    for total, size, weight in zip(sums, sizes, weights, strict=True):
        yield value * (1 + scale * (total - mean * size) / weight)
