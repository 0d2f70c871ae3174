"""What a table of means hides: segments that fall while the mean rises, items without a score, and models
measured on other items.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ptx.report.table.compare import Comparison, corrected_family, difference_of, span_of
from ptx.report.table.frame import Frame
from ptx.report.table.pairing import Key
from ptx.report.table.row import Row
from ptx.stats import JoinError, join, unscored_bounds
from ptx.stats.items import OK, status_of


@dataclass(frozen=True)
class Fall:
    """A segment of a row that is worse than its baseline while the metric as a whole (or the headline) is
    not.
    """

    row: Row
    key: Key
    comparison: Comparison
    risen: str  # the metric that rises meanwhile


@dataclass(frozen=True)
class Unscored:
    """Rows of an evaluator that have no score, by status; ``bounds`` is what they could make of each
    metric.
    """

    row: Row
    evaluator: str
    states: dict[str, int]
    of: int
    bounds: list[tuple[str, float, float]]
    reason: str = ""  # where the rows give one


@dataclass(frozen=True)
class Apart:
    """A metric that is not compared, as one side lacks items of the other."""

    row: Row
    names: list[str]
    lacking: Row
    missing: int
    of: int
    items: list[str]


def falls(frame: Frame) -> list[Fall]:
    """Segments that are significantly worse while the mean improves; Holm over all segments of a row's
    metric.
    """
    return [
        fall
        for row in frame.rows
        if row.reference
        for name in frame.names
        for fall in _falls(frame, row, name)
    ]


def _falls(frame: Frame, row: Row, name: str) -> Iterator[Fall]:
    assert row.reference is not None
    whole = [name, frame.headline] if _same_evaluator(row, name, frame.headline) else [name]
    risen = next((of for of in whole if of and _improves(row, row.reference, of)), None)
    keys = [key for key in row.metrics if key[0] == name and key[1]]
    if risen is None or not keys:
        return
    family = {index: one for index, key in enumerate(keys) if (one := difference_of(row, row.reference, key))}
    for index, one in corrected_family(family).items():
        if one.verdict == "worse":
            yield Fall(row, keys[index], one, risen)


def _same_evaluator(row: Row, name: str, headline: str | None) -> bool:
    """Whether the headline is a mean of these items too; a metric of other items falls, or does not, by
    itself.
    """
    return headline is not None and row.evaluators.get((name, "")) == row.evaluators.get((headline, ""))


def _improves(row: Row, reference: Row, name: str) -> bool:
    one = difference_of(row, reference, (name, ""))
    return (
        one is not None
        and one.difference.value != 0
        and (one.difference.value > 0) == (one.difference.better == "higher")
    )


def unscored(frame: Frame) -> list[Unscored]:
    """Per row and evaluator the items without a score, over all seeds, with worst and best case where an
    item's score has bounds.
    """
    found = []
    for row in frame.rows:
        for evaluator in dict.fromkeys(row.evaluators.values()):
            lines = [line for record in row.done for line in record.rows(evaluator)]
            states = Counter(state for line in lines if (state := status_of(line)) != OK)
            if states:
                reason = next((str(line["reason"]) for line in lines if line.get("reason")), "")
                found.append(
                    Unscored(row, evaluator, dict(states), len(lines), _bounds(row, evaluator), reason)
                )
    return found


def _bounds(row: Row, evaluator: str) -> list[tuple[str, float, float]]:
    found = []
    for (name, segment), metric in row.metrics.items():
        span = span_of(metric)
        if segment or span is None or row.evaluators[name, segment] != evaluator:
            continue
        scores = [score for one in row.scores((name, "")) or [] for score in one.values()]
        missing = sum(score != score for score in scores)  # noqa: PLR0124 (NaN)
        if missing:
            found.append((name, *unscored_bounds(metric.value, len(scores) - missing, missing, *span)))
    return found


def apart(frame: Frame) -> list[Apart]:
    """What is not compared with the baseline because the items differ; metrics with the same reason
    together.
    """
    found: dict[tuple[int, tuple[str, ...]], Apart] = {}
    for row in frame.rows:
        for name in frame.names if row.reference else []:
            one = _apart(row, name)
            if one:
                found.setdefault((row.number, tuple(one.items)), one)
                if name not in found[row.number, tuple(one.items)].names:
                    found[row.number, tuple(one.items)].names.append(name)
    return list(found.values())


def _apart(row: Row, name: str) -> Apart | None:
    assert row.reference is not None
    ours, theirs = row.scores((name, "")), row.reference.scores((name, ""))
    if not ours or not theirs:
        return None
    try:
        join([*ours, *theirs])
    except JoinError as error:
        lacking = row if error.side < len(ours) else row.reference
        return Apart(row, [name], lacking, len(error.missing), error.of, error.missing[:3])
    return None
