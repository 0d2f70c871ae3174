"""The summary of a report in sentences, for readers who read nothing else.

Every claim is supported by a corrected interval; a difference within noise is called that. A sentence is a
list of spans, so that Markdown and HTML can each escape and emphasise in their own way.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ptx.records import Metric
from ptx.report.decision import leaders
from ptx.report.table.compare import Comparisons, count
from ptx.report.table.frame import SIZE, Frame
from ptx.report.table.metric_names import short_name, subject
from ptx.report.table.row import Row
from ptx.report.table.units import Scale, interval_text, ratio_text, scale_of
from ptx.report.text import cautions, forgetting
from ptx.report.text.verdict_words import AGAINST, QUALITY
from ptx.stats import FEWEST

MANY = 6  # labels and metrics that a sentence names
FEW = 3  # segments of one row that a sentence names


@dataclass(frozen=True)
class Span:
    """A part of a sentence, bold if ``strong``."""

    text: str
    strong: bool = False


Sentence = list[Span]
Summary = list[Sentence]


def summary_of(frame: Frame, comparisons: Comparisons) -> Summary:
    """The sentences of the summary, in the order of the report."""
    sentences = [
        _verdicts(frame, comparisons),
        _best(frame, comparisons),
        _smallest(frame, comparisons),
        _fastest(frame, comparisons),
        _forgetting(frame, comparisons),
        *_falling_segments(frame, comparisons),
        *_undecided(frame),
        *_unscored_items(frame),
        *_other_items(frame),
        _machines(frame),
        _unfinished(frame),
    ]
    return [sentence for sentence in sentences if sentence]


def _plain(text: str) -> Sentence:
    return [Span(text)]


def _value(metric: Metric, scale: Scale) -> str:
    interval = interval_text(metric, scale)
    return scale.text(metric.value) + ("" if interval == "exact" else f" {interval}")


def _scale(frame: Frame, name: str) -> Scale:
    return scale_of(frame.sample(name).unit, frame.values(name))


def _named(rows: list[Row]) -> str:
    names = [row.label for row in rows[:MANY]]
    return ", ".join(names) + (f" and {len(rows) - MANY} more" if len(rows) > MANY else "")


def _verdicts(frame: Frame, comparisons: Comparisons) -> Sentence:
    name, compared = frame.headline, [row for row in frame.rows if row.reference]
    if name is None:
        return _plain("No run has a quality metric yet, so there is nothing to compare.")
    found = [one.verdict for row in compared if (one := comparisons.get((row.number, name, "")))]
    if len(frame.rows) == 1:
        return _plain(
            "One model, measured as it is: there is nothing to compare it with (ptx eval -m model=A,B"
            " compares several)."
        )
    if not found:
        return _plain(
            f"No run can be compared with a baseline on {short_name(name)}: no finished baseline shares this"
            " metric."
        )
    better, worse, same, few = (count(found, one) for one in ("better", "worse", "same", "too few"))
    runs = "1 run is" if len(found) == 1 else f"{len(found)} runs are"
    start = f"{runs} compared with {_common_reference(compared)} on {short_name(name)}, item by item and"
    start += " Holm-corrected at 5 %: "
    if few == len(found):
        return [Span(start), Span(f"too few items to say ({FEWEST} are the least).", strong=True)]
    if better == worse == few == 0:
        return [Span(start), Span("no difference beyond noise.", strong=True)]
    more = f", {few} with too few items to say" if few else ""
    return [
        Span(start),
        Span(f"{better} better, {worse} worse, {same} not measurably different{more}.", strong=True),
    ]


def _common_reference(compared: list[Row]) -> str:
    """What the rows are compared with, by the reference of the first one."""
    first = compared[0].reference
    if first is None or first.baseline:
        return "the untouched model"
    requested = any(row.reference_requested for row in compared)
    return first.label if requested else f"{first.label} (the first, as none is the untouched model)"


def _best(frame: Frame, comparisons: Comparisons) -> Sentence:
    found = leaders.best(frame)
    if found is None or frame.headline is None:
        return []
    row, scale = found.row, _scale(frame, frame.headline)
    text = f" with {_value(found.metric, scale)}{_against(row, comparisons, frame.headline, scale)}."
    text += _peers(found, "Not measurably different from it")
    words = "Best quality: " if found.sure or len(frame.rows) == 1 else "Highest quality measured: "
    return [Span(words), Span(row.label, strong=True), Span(text)]


def _peers(leader: leaders.Leader, words: str) -> str:
    """The rows that may be as good as the leader."""
    parts = ((words, leader.peers), ("Too few items to compare with it", leader.few))
    return "".join(f" {start}: {_named(rows)}." for start, rows in parts if rows)


def _against(row: Row, comparisons: Comparisons, name: str, scale: Scale) -> str:
    """``, better than the baseline (+0.100 [+0.080, +0.120])``; empty without a comparison."""
    one = comparisons.get((row.number, name, ""))
    if one is None or row.reference is None:
        return ""
    words = AGAINST[one.verdict]
    gap = (
        f"{scale.text(one.difference.value, sign=True)}"
        f" {scale.interval(one.difference.low, one.difference.high, sign=True)}"
    )
    return f", {words} {_the(row.reference)} ({gap})"


def _the(row: Row) -> str:
    return "the baseline" if row.label.startswith("baseline") else row.label


def _smallest(frame: Frame, comparisons: Comparisons) -> Sentence:
    if SIZE not in frame.names or frame.headline is None or len(frame.rows) == 1:
        return []
    found = leaders.smallest(frame, comparisons)
    if found is None:
        return _plain("No run was found to keep the quality of the baseline.")
    if not found.sure or found.row.reference is None:
        return _plain("Nothing is smaller than the baseline without measurable loss of quality.")
    row, reference = found.row, found.row.reference
    base = reference.metric(SIZE)
    ratio = ratio_text(found.metric.value, base.value, "smaller", "larger") if base else ""
    text = f" with {_scale(frame, SIZE).text(found.metric.value)}, {ratio} than {_the(reference)}"
    quality = _against(row, comparisons, frame.headline, _scale(frame, frame.headline)).removeprefix(", ")
    more = f" Of the same size and without measurable loss: {_named(found.peers)}." if found.peers else ""
    return [
        Span("Smallest without measurable loss: "),
        Span(row.label, strong=True),
        Span(f"{text}; quality {quality}.{more}"),
    ]


def _fastest(frame: Frame, comparisons: Comparisons) -> Sentence:
    name = frame.cost
    if name is None or len(frame.rows) == 1:
        return []
    if leaders.times_apart(frame):
        return _plain(
            "Times were measured in a separate session per model and are not compared, as the machine may"
            " have been busier in one of them; ptx train and ptx compress measure in turns with the untouched"
            " model."
        )
    found = leaders.fastest(frame, comparisons)
    if found is None:
        return []
    row, scale = found.row, _scale(frame, name)
    if row.reference is not None and not found.sure:
        return _plain(f"No run is measurably faster than {_the(row.reference)} ({subject(name)}).")
    base = row.reference.metric(name) if row.reference else None
    ratio = ratio_text(found.metric.value, base.value, "faster", "slower") if base else ""
    text = f" with {_value(found.metric, scale)} {subject(name)}" + (
        f", {ratio} than {_the(row.reference)}" if ratio and row.reference else ""
    )
    quality = comparisons.get((row.number, frame.headline or "", ""))
    text += f"; {QUALITY[quality.verdict]}." if quality else "."
    text += _peers(found, "Not measurably slower")
    words = "Fastest: " if found.sure else "Least latency measured: "
    return [Span(words), Span(row.label, strong=True), Span(text)]


def _forgetting(frame: Frame, comparisons: Comparisons) -> Sentence:
    changes = forgetting.changes_of(frame, comparisons)
    if not changes:
        return []
    text = forgetting.changes_text(frame, changes, MANY)
    return [
        Span("General capability", strong=True),
        Span(f" (general text, bits per byte before → after): {text}."),
    ]


def _falling_segments(frame: Frame, comparisons: Comparisons) -> Summary:
    """One sentence per row that improves overall and gets worse in some segments."""
    found: dict[int, list[cautions.FallingSegment]] = {}
    for segment in cautions.falling_segments(frame, comparisons):
        found.setdefault(segment.row.number, []).append(segment)
    return [_falling(frame, segments) for segments in found.values()]


def _falling(frame: Frame, falling: list[cautions.FallingSegment]) -> Sentence:
    row, parts = falling[0].row, []
    for one in falling[:FEW]:
        (name, segment), gap, scale = one.key, one.comparison.difference, _scale(frame, one.key[0])
        interval = scale.interval(gap.low, gap.high, sign=True)
        parts.append(f"{segment} ({short_name(name)} {scale.text(gap.value, sign=True)} {interval})")
    more = f" and {len(falling) - FEW} more" if len(falling) > FEW else ""
    improved = ", ".join(dict.fromkeys(short_name(one.improved) for one in falling))
    text = (
        f" improves on {improved} overall compared with {_the(row.reference or row)}, but is measurably worse"
        f" on {', '.join(parts)}{more}"
    )
    return [
        Span("Worse in some segments: "),
        Span(row.label, strong=True),
        Span(f"{text}; Holm-corrected over all segments of the report."),
    ]


def _undecided(frame: Frame) -> Summary:
    """One sentence per metric without a value whose reason is known: the rows, and the reason."""
    return [
        [Span(_named(rows), strong=True), Span(f": {short_name(name)} is {note.removesuffix('.')}.")]
        for (name, note), rows in cautions.undecided(frame).items()
    ]


def _unscored_items(frame: Frame) -> Summary:
    """One sentence per row and evaluator: how many items have no score, and the bounds of each metric.

    If the evaluator gives a reason, the rows with the same reason share a sentence.
    """
    found = cautions.unscored_items(frame)
    lines = _with_reason([one for one in found if one.reason])
    for one in found:
        if one.reason:
            continue
        states = ", ".join(f"{number} {state}" for state, number in sorted(one.states.items()))
        bounds = [
            f"{short_name(name)} is between {_scale(frame, name).text(low)} and"
            f" {_scale(frame, name).text(high)}"
            for name, low, high in one.bounds
        ]
        text = f": {states} of {one.of} items of {one.evaluator} have no score"
        text += f"; depending on their scores, {', '.join(bounds[:MANY])}." if bounds else "."
        lines.append([Span(one.row.label, strong=True), Span(text)])
    return lines


def _with_reason(found: list[cautions.UnscoredItems]) -> Summary:
    """One sentence per evaluator and reason: the rows that have no score for it."""
    rows: dict[tuple[str, str], list[Row]] = {}
    for one in found:
        rows.setdefault((one.evaluator, one.reason), []).append(one.row)
    return [
        [
            Span(_named(left_out), strong=True),
            Span(f" {'has' if len(left_out) == 1 else 'have'} no {evaluator}: {reason}."),
        ]
        for (evaluator, reason), left_out in rows.items()
    ]


def _other_items(frame: Frame) -> Summary:
    """One sentence per row that is not compared on some metrics, with the items that are missing."""
    lines = []
    for one in cautions.other_items(frame)[:MANY]:
        names = ", ".join(short_name(name) for name in one.names[:MANY])
        text = (
            f" is not compared with {_the(one.row.reference or one.row)} on {names}: {one.missing} of"
            f" {one.of} items are missing in {one.lacking.label}"
        )
        lines.append(
            [
                Span(one.row.label, strong=True),
                Span(f"{text} ({', '.join(one.items)}{', ...' if one.missing > len(one.items) else ''})."),
            ]
        )
    return lines


def _machines(frame: Frame) -> Sentence:
    """A note that times of several machines have their own columns."""
    others = list(dict.fromkeys(name.partition(" @ ")[2] for name in frame.names if " @ " in name))
    if not others:
        return []
    text = (
        f"; times and memory measured on {'; '.join(others)} have their own columns and are compared on that"
        " machine only."
    )
    return [Span(f"{len(others) + 1} machines", strong=True), Span(text)]


def _unfinished(frame: Frame) -> Sentence:
    states = Counter(record.status for row in frame.rows for record in row.records if record.status != "done")
    if not states:
        return []
    words = {"planned": "planned but not started"}
    parts = ", ".join(f"{number} {words.get(status, status)}" for status, number in sorted(states.items()))
    total = sum(states.values())
    return [
        Span(f"{total} run{'s' if total > 1 else ''} without results: {parts}.", strong=True),
        Span(" See below."),
    ]
