"""The one strongest warning about a model, for a reader who reads no second one.

The order: it has become less safe, it forgets, it falls on a segment while its mean rises, it is only
emulated by its runtime, items have no score, seeds have no result.
"""

from __future__ import annotations

from collections.abc import Callable

from ptx.report.table.compare import Comparisons
from ptx.report.table.frame import Frame
from ptx.report.table.metric_names import short_name
from ptx.report.table.row import Row
from ptx.report.text import cautions, forgetting
from ptx.report.text.spans import gap_text, scale_in, value_text
from ptx.stats.items import OK, status_of

NOT_TIMED = "not timed: "
Finder = Callable[[Frame, Comparisons, Row], str]


def strongest_warning(frame: Frame, comparisons: Comparisons, row: Row) -> str:
    """The first of the warnings that holds for the row; empty if none does."""
    return next((text for find in FINDERS if (text := find(frame, comparisons, row))), "")


def emulated(row: Row) -> str:
    """Why the row was not timed: its runtime only emulates the artifact; empty if it was."""
    return next(
        (
            str(line.get("reason") or "its runtime only emulates it")
            for record in row.done
            for line in record.rows("latency")
            if line.get("status") == "emulated"
        ),
        "",
    )


def _unsafe(frame: Frame, comparisons: Comparisons, row: Row) -> str:
    for name in frame.names:
        one, metric = comparisons.get((row.number, name, "")), row.metric(name)
        if name.startswith("safety/") and one and metric and one.verdict == "worse":
            scale = scale_in(frame, name)
            return f"less safe: {short_name(name)} {value_text(metric, scale)} ({gap_text(one, scale)})"
    return ""


def _forgets(frame: Frame, comparisons: Comparisons, row: Row) -> str:
    one, after = comparisons.get((row.number, forgetting.BITS, "")), row.metric(forgetting.BITS)
    before = row.reference.metric(forgetting.BITS) if row.reference else None
    if one is None or one.verdict != "worse" or after is None or before is None or not before.value > 0:
        return ""
    scale, more = scale_in(frame, forgetting.BITS), after.value / before.value - 1
    ends = f"{scale.number(before.value)} → {scale.number(after.value)} bits per byte"
    return f"forgets: general text {ends} ({more:+.0%})"


def _falls(frame: Frame, comparisons: Comparisons, row: Row) -> str:
    falls = cautions.falls_of(frame, row, comparisons)
    if not falls:
        return ""
    worst = max(falls, key=lambda fall: abs(fall.comparison.difference.value))
    gap = gap_text(worst.comparison, scale_in(frame, worst.key[0]))
    more = f", and {len(falls) - 1} more segments" if len(falls) > 1 else ""
    return f"worse on {worst.key[1]}: {short_name(worst.key[0])} {gap}{more}"


def _emulated(_frame: Frame, _comparisons: Comparisons, row: Row) -> str:
    reason = emulated(row)
    return f"{NOT_TIMED}{reason}" if reason else ""


def _unscored(_frame: Frame, _comparisons: Comparisons, row: Row) -> str:
    for evaluator in dict.fromkeys(row.evaluators.values()):
        lines = [line for record in row.done for line in record.rows(evaluator)]
        missing = sum(status_of(line) != OK for line in lines)
        if missing:
            return f"{missing} of {len(lines)} items of {evaluator} have no score"
    return ""


def _seeds(_frame: Frame, _comparisons: Comparisons, row: Row) -> str:
    missing = len(row.records) - len(row.done)
    return f"{missing} of {len(row.records)} seeds have no results" if missing else ""


FINDERS: tuple[Finder, ...] = (_unsafe, _forgets, _falls, _emulated, _unscored, _seeds)
