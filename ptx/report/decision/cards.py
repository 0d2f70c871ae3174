"""Three cards: the best model, and the smallest and the fastest that are within noise of it.

Within noise of the best are the rows whose headline is not measurably worse, corrected for all pairs of rows
(:func:`ptx.report.table.compare.indistinguishable`). Each card names the rows that may be as good, and one
warning: the strongest.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ptx.records import Metric
from ptx.report.decision import leaders
from ptx.report.decision.leaders import Kind
from ptx.report.table.compare import NEGLIGIBLE, Comparisons, indistinguishable
from ptx.report.table.frame import SIZE, Frame
from ptx.report.table.metric_names import short_name, subject
from ptx.report.table.row import RATIO, Row
from ptx.report.table.units import ratio_text
from ptx.report.text.spans import gap_text, scale_in, the, times_text, value_text
from ptx.report.text.verdict_words import AGAINST
from ptx.report.text.warning import strongest_warning

SECONDS = "latency/request_seconds"


@dataclass(frozen=True)
class Card:
    """One leader. Without a row, ``value`` says why there is none."""

    kind: Kind
    title: str
    row: Row | None
    value: str
    against: str = ""
    peers: list[Row] = field(default_factory=list)
    warning: str = ""


def within_noise(frame: Frame) -> list[Row]:
    """The best row, and those whose headline is not measurably worse; the best first."""
    found = leaders.best(frame)
    if found is None:
        return []
    order = leaders.ranked(frame, found.metric.name)
    near = {found.row.number, *(row.number for row in found.peers)}
    return [row for row, _ in order if row.number in near]


def cards_of(frame: Frame, comparisons: Comparisons) -> list[Card]:
    """The cards: best, smallest, fastest."""
    near = within_noise(frame) if frame.headline else [row for row in frame.rows if row.done]
    where = " within noise of the best" if frame.headline else ""
    small, fast = _smallest(frame, comparisons, near), _fastest(frame, comparisons, near)
    if len(frame.rows) == 1:  # there is nothing that it could lead
        cards = zip(("Quality", "Size", "Speed"), (_best(frame, comparisons), small, fast), strict=True)
        return [replace(card, title=title) for title, card in cards]
    return [_best(frame, comparisons), *(replace(card, title=card.title + where) for card in (small, fast))]


def _best(frame: Frame, comparisons: Comparisons) -> Card:
    found = leaders.best(frame)
    if found is None or frame.headline is None:
        return Card("best", "Best", None, "no quality metric was recorded")
    title = "Best" if found.sure or len(frame.rows) == 1 else "Highest quality measured"
    value = f"{short_name(frame.headline)} {value_text(found.metric, scale_in(frame, frame.headline))}"
    against = _against(frame, comparisons, found.row, frame.headline)
    warning = strongest_warning(frame, comparisons, found.row)
    return Card("best", title, found.row, value, against, [*found.peers, *found.few], warning)


def _against(frame: Frame, comparisons: Comparisons, row: Row, name: str) -> str:
    one = comparisons.get((row.number, name, ""))
    if one is None or row.reference is None:
        return ""
    ends = "" if name == RATIO else f" ({gap_text(one, scale_in(frame, name))})"
    return f"{AGAINST[one.verdict]} {the(row.reference)}{ends}"


def _smallest(frame: Frame, comparisons: Comparisons, near: list[Row]) -> Card:
    title = "Smallest"
    sizes = [(row, metric.value) for row in near if (metric := row.metric(SIZE))]
    if not sizes:
        why = "no size was recorded; add latency to eval=[...]"
        return Card("smallest", title, None, why)
    least = min(size for _, size in sizes)
    row, *peers = [one for one, size in sizes if size <= least * (1 + NEGLIGIBLE)]
    metric, base = row.metric(SIZE), row.reference.metric(SIZE) if row.reference else None
    ratio = ratio_text(metric.value, base.value, "smaller", "larger") if metric and base else ""
    against = f"{ratio} than {the(row.reference)}" if ratio and row.reference else ""
    against = against or ("as large as its baseline" if base else "")
    value = scale_in(frame, SIZE).text(least)
    return Card("smallest", title, row, value, against, peers, strongest_warning(frame, comparisons, row))


def _fastest(frame: Frame, comparisons: Comparisons, near: list[Row]) -> Card:
    title, name = "Fastest", frame.cost
    if name is None or not near:
        why = "latency was not measured; add latency to eval=[...]"
        return Card("fastest", title, None, why)
    if leaders.times_apart(frame) and len(near) > 1:
        why = "each model was timed in a session of its own; such times cannot be compared"
        return Card("fastest", title, None, why)
    numbers = {row.number for row in near}
    order = [row for row, _ in leaders.ranked(frame, name) if row.number in numbers]
    if not order:
        return Card("fastest", title, None, "none of them was timed")
    row, found = order[0], indistinguishable(frame, order[0], name)
    peers = [one for one in [*found["same"], *found["too few"]] if one.number in numbers]
    metric = row.metric(name)
    assert metric is not None  # it is among the ranked
    against, shown = _against(frame, comparisons, row, name).replace("better", "faster"), name
    if name == RATIO:
        against, shown = _in_turns(against, row, metric), SECONDS if row.metric(SECONDS) else RATIO
    value = f"{value_text(row.metric(shown) or metric, scale_in(frame, shown))} {subject(shown)}"
    return Card("fastest", title, row, value, against, peers, strongest_warning(frame, comparisons, row))


def _in_turns(against: str, row: Row, ratio: Metric) -> str:
    """The ratio to the baseline in words, where it is more than noise."""
    times = times_text(ratio, "faster", "slower")
    sure = against.startswith(("faster", "worse")) and times and row.reference
    return f"{times} than {the(row.reference)}, measured in turns" if sure and row.reference else against
