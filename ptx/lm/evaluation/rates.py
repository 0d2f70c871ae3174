"""Rates with intervals from an evaluator's rows: of the whole and of every segment. Imports no ML library.

A row whose score is nan (the model or the scorer failed) is in no rate, and is there so that two models' rows
can be joined; how many there were is a rate of its own, and two bounds say what they could have changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ptx import Metric
from ptx.records import Better
from ptx.stats import score_interval

Row = Mapping[str, Any]


def rate(name: str, rows: Iterable[Row], better: Better, unit: str = "fraction") -> list[Metric]:
    """The mean of ``scores[name]`` over the rows that have it and not as nan, then over those of each
    segment; no metric without rows.

    Rows of one ``cluster`` (the same request under several attacks) count for as much as they differ.
    """
    scored = [row for row in rows if _known(name, row)]
    return [_metric(name, part, better, unit, segment) for segment, part in _parts(scored)] if scored else []


def unscored(name: str, rows: Iterable[Row]) -> list[Metric]:
    """The share of rows whose ``status`` is not "ok"."""
    return rate(
        name,
        [{**row, "scores": {name: float(row.get("status", "ok") != "ok")}, "segments": {}} for row in rows],
        "lower",
    )


def bounds(name: str, rows: Iterable[Row], better: Better) -> list[Metric]:
    """What a rate would be if every row that it lacks were good, and if every one were bad; nothing where it
    lacks none.

    Args:
        name: of the rate; the bounds are ``name/at_best`` and ``name/at_worst``.
        rows: all that ought to be in it.
        better: of the rate.
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
    mean, low, high = score_interval(values, clusters=[row.get("cluster", row["item"]) for row in rows])
    return Metric(name, mean, unit, better, low, high, len(values), segment)


def _parts(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    yield "", list(rows)
    parts: dict[str, list[Row]] = {}
    for row in rows:
        for dimension, value in row.get("segments", {}).items():
            parts.setdefault(f"{dimension}={value}", []).append(row)
    yield from ((segment, part) for segment, part in sorted(parts.items()) if len(part) < len(rows))
