"""Sentences as spans, so that Markdown and HTML can each escape and emphasise in their own way."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ptx.records import Metric
from ptx.report.table.compare import Comparison
from ptx.report.table.frame import Frame
from ptx.report.table.row import Row
from ptx.report.table.units import Scale, interval_text, ratio_text, scale_of

MANY = 6  # labels and metrics that a sentence names


@dataclass(frozen=True)
class Span:
    """A part of a sentence, bold if ``strong``."""

    text: str
    strong: bool = False


Sentence = list[Span]


def plain(text: str) -> Sentence:
    """A sentence without emphasis."""
    return [Span(text)]


def words_of(sentence: Sentence) -> str:
    """The sentence without emphasis, as one text."""
    return "".join(span.text for span in sentence)


def value_text(metric: Metric, scale: Scale) -> str:
    """``0.712 [0.688, 0.735]``; an exact value stands alone."""
    interval = interval_text(metric, scale)
    return scale.text(metric.value) + ("" if interval == "exact" else f" {interval}")


def gap_text(one: Comparison, scale: Scale) -> str:
    """``+0.100 [+0.080, +0.120]``; an exact difference stands alone."""
    gap = one.difference
    scale = scale.finer(gap.low, gap.high)
    text = scale.text(gap.value, sign=True)
    return text if one.how == "exact" else f"{text} {scale.interval(gap.low, gap.high, sign=True)}"


def times_text(ratio: Metric, less: str, more: str) -> str:
    """A ratio to the baseline with its interval, as a reader says it: ``3.9x faster [3.8, 4.0]``."""
    text = ratio_text(ratio.value, 1.0, less, more)
    low, high = ratio.low, ratio.high
    if ratio.value < 1:  # so many times less
        low, high = 1 / ratio.high, 1 / ratio.low if ratio.low > 0 else math.inf
    decimals = 2 if 1 / 1.95 < ratio.value < 1.95 else 1
    return f"{text} {Scale(1.0, '', decimals).interval(low, high)}" if text else ""


def scale_in(frame: Frame, name: str) -> Scale:
    """The scale of a metric in a report: the same everywhere."""
    return scale_of(frame.sample(name).unit, frame.values(name))


def named(rows: list[Row], most: int = MANY) -> str:
    """The labels of some rows; beyond ``most`` their number."""
    names = [row.label for row in rows[:most]]
    return ", ".join(names) + (f" and {len(rows) - most} more" if len(rows) > most else "")


def the(row: Row) -> str:
    """How a sentence calls a row."""
    return "the baseline" if row.label.startswith("baseline") else row.label
