"""The item table: per-example rows, and the metrics that follow from them.

An evaluator writes one row per example (:class:`ptx.Evaluation` says what is in it); the whole's metric,
those of its segments, the rate of items without a score and all comparisons of a report come from these rows,
so that none can say what another denies.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from ptx.files import digest_of
from ptx.records import Better, Metric
from ptx.stats import proportion, score_interval

Row = Mapping[str, Any]
OK = "ok"
#: what a row's text columns are called by most data; an evaluator takes them as segments where they are there
SEGMENTS = ("language", "domain", "intent", "difficulty", "skill", "category")


def item_id(*content: Any) -> str:
    """A name for an example that follows from its content alone: the same for every model, every run and
    every machine.
    """
    return digest_of(content)[:16]


def item_ids(of: str, contents: Iterable[Sequence[Any]]) -> list[str]:
    """``OF:DIGEST`` per example of a task or text, from its content: what is asked and what is right.

    Neither an example's place nor its neighbours have a part in it, so that a task file that is reordered or
    grows keeps the names it had.
    """
    return numbered(f"{of}:{item_id(*content)}" for content in contents)


def numbered(names: Iterable[str]) -> list[str]:
    """Names made distinct: one that comes again gets ``:2``, ``:3`` behind it. Which of two equal examples is
    the second makes no difference.
    """
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}:{seen[name]}")
    return found


def lasted(seconds: float | None) -> dict[str, float]:
    """The column ``latency`` of a row: what the item took, or its share where a batch was answered together;
    none where nobody knows.
    """
    return {} if seconds is None else {"latency": round(seconds, 6)}


def segments_of(record: Mapping[str, Any], columns: Sequence[str] = ()) -> dict[str, str]:
    """The segments of an example from its data's columns: the ones asked for, else those with a usual
    name.
    """
    return {name: str(record[name]) for name in columns or SEGMENTS if record.get(name) not in (None, "")}


def status_of(row: Row) -> str:
    """``ok``, or why there is no score."""
    return str(row.get("status") or OK)


def measure(name: str, unit: str, better: Better, rows: Iterable[Row]) -> list[Metric]:
    """The metric ``name`` over all rows that have a score of that name, and over each of their segments.

    The (weighted) mean with its interval: Wilson's for right or wrong, else Student's; on clusters where rows
    have them. A row without a score counts in :func:`unscored`, never as 0. Nothing scored gives NaN with n =
    0.
    """
    scored = [row for row in rows if isinstance((row.get("scores") or {}).get(name), int | float)]
    scored = [row for row in scored if not math.isnan(row["scores"][name])]
    found = [_metric(name, unit, better, scored, "")]
    for segment, part in by_segment(scored).items():
        found.append(_metric(name, unit, better, part, segment))
    return found


def by_segment(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """``dimension=value`` -> its rows, sorted."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        for dimension, value in (row.get("segments") or {}).items():
            found.setdefault(f"{dimension}={value}", []).append(row)
    return dict(sorted(found.items()))


def unscored(prefix: str, rows: Iterable[Row]) -> list[Metric]:
    """``PREFIX/unscored``: the share of rows whose status says that there is no score; nothing where every
    row has one.
    """
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
        values, clusters=column(rows, "cluster"), weights=column(rows, "weight")
    )
    return Metric(name, value, unit, better, min(low, value), max(high, value), len(values), segment)


def column(rows: Sequence[Row], key: str) -> list[Any] | None:
    """A column of the table; None where no row has it. A row without a cluster is one of its own, one without
    a weight weighs 1.
    """
    if not any(row.get(key) is not None for row in rows):
        return None
    return [
        row[key] if row.get(key) is not None else (row["item"] if key == "cluster" else 1.0) for row in rows
    ]


def ratio_scores(sums: Sequence[float], sizes: Sequence[float], weights: Sequence[float]) -> Iterator[float]:
    """exp(sum of ``sums`` / sum of ``sizes``), spread over the items so that their mean, weighted by
    ``weights``, is exactly that.

    For perplexity, which is no mean: each item's score is the linearised part that it has in it (delta
    method), so that intervals and paired differences of these scores are those of the perplexity to first
    order.
    """
    mean = math.fsum(sums) / math.fsum(sizes)
    value, scale = math.exp(mean), fmean(weights) / fmean(sizes)
    for total, size, weight in zip(sums, sizes, weights, strict=True):
        yield value * (1 + scale * (total - mean * size) / weight)
