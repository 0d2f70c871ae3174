"""Cautions about means: segments that get worse, items without a score, models measured on other items."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ptx.report.table.compare import Comparison, Comparisons, difference_of
from ptx.report.table.frame import Frame
from ptx.report.table.pairing import Key
from ptx.report.table.row import Row
from ptx.stats import JoinError, join, span_of, unscored_bounds
from ptx.stats.items import OK, status_of


@dataclass(frozen=True)
class FallingSegment:
    """A segment of a row that is worse than its reference, while the metric (or the headline) improves."""

    row: Row
    key: Key
    comparison: Comparison
    improved: str  # the metric over all items that improves


@dataclass(frozen=True)
class UnscoredItems:
    """The items of a row and an evaluator that have no score.

    ``states`` counts them by status, ``of`` is the number of all items. ``bounds`` has (metric, low, high):
    the least and the greatest value of each metric for any scores of those items.
    """

    row: Row
    evaluator: str
    states: dict[str, int]
    of: int
    bounds: list[tuple[str, float, float]]
    reason: str = ""  # if the evaluator's rows have one


@dataclass(frozen=True)
class OtherItems:
    """Metrics that are not compared, because one side lacks items of the other.

    ``lacking`` is the row that lacks ``missing`` ``of`` all items; ``items`` are some of them.
    """

    row: Row
    names: list[str]
    lacking: Row
    missing: int
    of: int
    items: list[str]


def falling_segments(frame: Frame, comparisons: Comparisons) -> list[FallingSegment]:
    """Segments that are measurably worse while the mean improves.

    ``comparisons`` have p-values that are Holm-corrected over all segments of the report.
    """
    return [segment for row in frame.rows for segment in falls_of(frame, row, comparisons)]


def falls_of(frame: Frame, row: Row, comparisons: Comparisons) -> list[FallingSegment]:
    """The falling segments of one row."""
    keys: dict[str, list[Key]] = {}
    for key in row.metrics if row.reference else ():
        if key[1]:
            keys.setdefault(key[0], []).append(key)
    return [
        segment
        for name in (frame.names if keys else ())
        if name in keys
        for segment in _falling_segments(frame, row, keys[name], comparisons)
    ]


def _falling_segments(
    frame: Frame, row: Row, keys: Sequence[Key], comparisons: Comparisons
) -> Iterator[FallingSegment]:
    """Those of one metric, which the keys have in common."""
    assert row.reference is not None
    name = keys[0][0]
    found = {key: one for key in keys if (one := comparisons.get((row.number, *key)))}
    worse = {key: one for key, one in found.items() if one.verdict == "worse"}
    whole = [name, frame.headline] if _same_evaluator(row, name, frame.headline) else [name]
    improved = next((of for of in whole if worse and of and _improves(row, row.reference, of)), None)
    if improved is not None:
        yield from (FallingSegment(row, key, one, improved) for key, one in worse.items())


def _same_evaluator(row: Row, name: str, headline: str | None) -> bool:
    """Whether the metric and the headline come from one evaluator, so from the same items."""
    return headline is not None and row.evaluators.get((name, "")) == row.evaluators.get((headline, ""))


def _improves(row: Row, reference: Row, name: str) -> bool:
    one = difference_of(row, reference, (name, ""))
    return (
        one is not None
        and one.difference.value != 0
        and (one.difference.value > 0) == (one.difference.better == "higher")
    )


def undecided(frame: Frame) -> dict[tuple[str, str], list[Row]]:
    """(Metric, reason) -> the rows whose metric has no value for that reason."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in frame.rows:
        for (name, segment), metric in row.metrics.items():
            if metric.note and not segment and math.isnan(metric.value):
                found.setdefault((name, metric.note), []).append(row)
    return found


def unscored_items(frame: Frame) -> list[UnscoredItems]:
    """The items without a score of each row and evaluator, over all seeds.

    They have the worst and the best case of each metric whose item scores are bounded.
    """
    found = []
    for row in frame.rows:
        for evaluator in dict.fromkeys(row.evaluators.values()):
            lines = [line for record in row.done for line in record.rows(evaluator)]
            states = Counter(state for line in lines if (state := status_of(line)) != OK)
            if states:
                reason = next((str(line["reason"]) for line in lines if line.get("reason")), "")
                bounds = _bounds(row, evaluator)
                found.append(UnscoredItems(row, evaluator, dict(states), len(lines), bounds, reason))
    return found


def _bounds(row: Row, evaluator: str) -> list[tuple[str, float, float]]:
    found = []
    for (name, segment), metric in row.metrics.items():
        span = span_of(metric.unit)
        if segment or span is None or row.evaluators[name, segment] != evaluator:
            continue
        scores = [score for one in row.scores((name, "")) or [] for score in one.values()]
        missing = sum(score != score for score in scores)  # noqa: PLR0124 (NaN)
        if missing:
            found.append((name, *unscored_bounds(metric.value, len(scores) - missing, missing, *span)))
    return found


def other_items(frame: Frame) -> list[OtherItems]:
    """Metrics that are not compared with the reference because the items differ.

    The metrics of a row that lack the same items are one entry.
    """
    found: dict[tuple[int, tuple[str, ...]], OtherItems] = {}
    for row in frame.rows:
        for name in frame.names if row.reference else []:
            one = _other_items(row, name)
            if one:
                same = found.setdefault((row.number, tuple(one.items)), one)
                if name not in same.names:
                    same.names.append(name)
    return list(found.values())


def _other_items(row: Row, name: str) -> OtherItems | None:
    assert row.reference is not None
    ours, theirs = row.scores((name, "")), row.reference.scores((name, ""))
    if not ours or not theirs:
        return None
    try:
        join([*ours, *theirs])
    except JoinError as error:
        lacking = row if error.side < len(ours) else row.reference
        return OtherItems(row, [name], lacking, len(error.missing), error.of, error.missing[:3])
    return None
