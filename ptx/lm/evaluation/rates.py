"""Compute rates with intervals from an evaluator's rows, in total and per segment. Imports no ML library.

A row whose score is nan (the model or the scorer failed) counts in no rate; it stays among the rows so that
the rows of two models can be joined. The fraction of such rows is a rate of its own, and two bounds show how
much they could have changed a rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ptx import Metric
from ptx.records import Better
from ptx.stats import score_interval, span_of

Row = Mapping[str, Any]


def rate(name: str, rows: Iterable[Row], better: Better, unit: str = "fraction") -> list[Metric]:
    """The mean of ``scores[name]`` over the rows where it exists and is not nan, then of each segment.

    The result is empty if there are no such rows. Rows of one ``cluster`` (the same request under several
    attacks) are treated as dependent in the intervals.
    """
    scored = [row for row in rows if _known(name, row)]
    return [_metric(name, part, better, unit, segment) for segment, part in _parts(scored)] if scored else []


def unscored(name: str, rows: Iterable[Row]) -> list[Metric]:
    """The fraction of rows whose ``status`` is not "ok"."""
    return rate(
        name,
        [{**row, "scores": {name: float(row.get("status", "ok") != "ok")}, "segments": {}} for row in rows],
        "lower",
    )


def bounds(name: str, rows: Iterable[Row], better: Better) -> list[Metric]:
    """The rate if every row without a score were good, and if every one were bad; empty if all have a score.

    Args:
        name: the name of the rate; the bounds are ``name/at_best`` and ``name/at_worst``.
        rows: all rows that should count in the rate.
        better: the better direction of the rate.
    """
    rows = list(rows)
    if all(_known(name, row) for row in rows):
        return []
    found = []
    for word, value in (("at_best", float(better == "higher")), ("at_worst", float(better == "lower"))):
        scores = [row["scores"][name] if _known(name, row) else value for row in rows]
        filled = [
            {**row, "scores": {f"{name}/{word}": score}, "segments": {}}
            for row, score in zip(rows, scores, strict=True)
        ]
        found += rate(f"{name}/{word}", filled, better)
    return found


def _known(name: str, row: Row) -> bool:
    return not math.isnan(row["scores"].get(name, math.nan))


def _metric(name: str, rows: Sequence[Row], better: Better, unit: str, segment: str) -> Metric:
    values = [float(row["scores"][name]) for row in rows]
    clusters = [row.get("cluster", row["item"]) for row in rows]
    mean, low, high = score_interval(values, clusters=clusters, span=span_of(unit))
    return Metric(name, mean, unit, better, low, high, len(values), segment)


def _parts(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    yield "", list(rows)
    parts: dict[str, list[Row]] = {}
    for row in rows:
        for dimension, value in row.get("segments", {}).items():
            parts.setdefault(f"{dimension}={value}", []).append(row)
    yield from ((segment, part) for segment, part in sorted(parts.items()) if len(part) < len(rows))
