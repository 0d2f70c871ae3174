"""What a reader has to know beside the decision: one line per kind of note, with a count.

Every claim is supported by a corrected interval; a difference within noise is called that. What twelve runs
have in common is one line that can be opened, not twelve lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ptx.report.decision import leaders
from ptx.report.table.compare import Comparisons, count
from ptx.report.table.frame import Frame
from ptx.report.table.metric_names import short_name
from ptx.report.table.row import Row
from ptx.report.text import cautions, forgetting
from ptx.report.text.spans import MANY, Sentence, Span, named, plain, scale_in, the
from ptx.stats import FEWEST

FEW = 3  # segments of one row that a sentence names


@dataclass(frozen=True)
class Note:
    """A sentence, and the sentences that it counts; a reader opens them."""

    head: Sentence
    more: list[Sentence] = field(default_factory=list)


def notes_of(frame: Frame, comparisons: Comparisons) -> list[Note]:
    """The notes of a report, in the order of their weight."""
    found = [
        _one(_verdicts(frame, comparisons)),
        _one(_times_apart(frame)),
        _forgetting(frame, comparisons),
        _counted(
            _falling_segments(frame, comparisons), "runs improve overall and are worse in some segments"
        ),
        _counted(_undecided(frame), "metrics have no value for a known reason"),
        _counted(_unscored_items(frame), "evaluations lack scores of some items"),
        _counted(_other_items(frame), "runs are not compared on some metrics, as their items differ"),
        _one(_machines(frame)),
        _one(_unfinished(frame)),
    ]
    return [note for note in found if note is not None]


def not_measured(names: Sequence[str]) -> list[Note]:
    """A note on the metrics that a report's definition asks for, and that no run has."""
    if not names:
        return []
    groups = ", ".join(dict.fromkeys(name.partition("/")[0] for name in names))
    text = f" {'was' if len(names) == 1 else 'were'} asked for and not measured; add {groups} to eval=[...]."
    return [Note([Span(", ".join(names), strong=True), Span(text)])]


def _one(sentence: Sentence) -> Note | None:
    return Note(sentence) if sentence else None


def _counted(sentences: list[Sentence], what: str) -> Note | None:
    """One sentence as it is; several as their number, to be opened."""
    if len(sentences) < 2:
        return _one(sentences[0] if sentences else [])
    return Note([Span(str(len(sentences)), strong=True), Span(f" {what}.")], sentences)


def _verdicts(frame: Frame, comparisons: Comparisons) -> Sentence:
    name, compared = frame.headline, [row for row in frame.rows if row.reference]
    if name is None:
        return plain("No run has a quality metric yet, so there is nothing to compare.")
    found = [one.verdict for row in compared if (one := comparisons.get((row.number, name, "")))]
    if len(frame.rows) == 1:
        return []  # the sentence says it
    if not found:
        return plain(
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


def _times_apart(frame: Frame) -> Sentence:
    if len(frame.rows) == 1 or not leaders.times_apart(frame):
        return []
    return plain(
        "Times were measured in a separate session per model and are not compared, as the machine may"
        " have been busier in one of them; ptx train and ptx compress measure in turns with the untouched"
        " model."
    )


def _forgetting(frame: Frame, comparisons: Comparisons) -> Note | None:
    changes = forgetting.changes_of(frame, comparisons)
    if not changes:
        return None
    text = forgetting.changes_text(frame, changes, MANY)
    whole = [
        Span("General capability", strong=True),
        Span(f" (general text, bits per byte before → after): {text}."),
    ]
    worse = count([change.comparison.verdict for change in changes], "worse")
    if len(changes) == 1:
        return Note(whole)
    head = f"{worse} of {len(changes)} runs predict general text measurably worse than before"
    return Note([Span("General capability", strong=True), Span(f": {head}.")], [whole])


def _falling_segments(frame: Frame, comparisons: Comparisons) -> list[Sentence]:
    """One sentence per row that improves overall and gets worse in some segments."""
    found: dict[int, list[cautions.FallingSegment]] = {}
    for segment in cautions.falling_segments(frame, comparisons):
        found.setdefault(segment.row.number, []).append(segment)
    return [_falling(frame, segments) for segments in found.values()]


def _falling(frame: Frame, falling: list[cautions.FallingSegment]) -> Sentence:
    row, parts = falling[0].row, []
    for one in falling[:FEW]:
        (name, segment), gap, scale = one.key, one.comparison.difference, scale_in(frame, one.key[0])
        interval = scale.interval(gap.low, gap.high, sign=True)
        parts.append(f"{segment} ({short_name(name)} {scale.text(gap.value, sign=True)} {interval})")
    more = f" and {len(falling) - FEW} more" if len(falling) > FEW else ""
    improved = ", ".join(dict.fromkeys(short_name(one.improved) for one in falling))
    text = (
        f" improves on {improved} overall compared with {the(row.reference or row)}, but is measurably worse"
        f" on {', '.join(parts)}{more}"
    )
    return [
        Span("Worse in some segments: "),
        Span(row.label, strong=True),
        Span(f"{text}; Holm-corrected over all segments of the report."),
    ]


def _undecided(frame: Frame) -> list[Sentence]:
    """One sentence per metric without a value whose reason is known: the rows, and the reason."""
    return [
        [Span(named(rows), strong=True), Span(f": {short_name(name)} is {note.removesuffix('.')}.")]
        for (name, note), rows in cautions.undecided(frame).items()
    ]


def _unscored_items(frame: Frame) -> list[Sentence]:
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
            f"{short_name(name)} is between {scale_in(frame, name).text(low)} and"
            f" {scale_in(frame, name).text(high)}"
            for name, low, high in one.bounds
        ]
        text = f": {states} of {one.of} items of {one.evaluator} have no score"
        text += f"; depending on their scores, {', '.join(bounds[:MANY])}." if bounds else "."
        lines.append([Span(one.row.label, strong=True), Span(text)])
    return lines


def _with_reason(found: list[cautions.UnscoredItems]) -> list[Sentence]:
    """One sentence per evaluator and reason: the rows that have no score for it."""
    rows: dict[tuple[str, str], list[Row]] = {}
    for one in found:
        rows.setdefault((one.evaluator, one.reason), []).append(one.row)
    return [
        [
            Span(named(left_out), strong=True),
            Span(f" {'has' if len(left_out) == 1 else 'have'} no {evaluator}: {reason}."),
        ]
        for (evaluator, reason), left_out in rows.items()
    ]


def _other_items(frame: Frame) -> list[Sentence]:
    """One sentence per row that is not compared on some metrics, with the items that are missing."""
    lines = []
    for one in cautions.other_items(frame)[:MANY]:
        names = ", ".join(short_name(name) for name in one.names[:MANY])
        text = (
            f" is not compared with {the(one.row.reference or one.row)} on {names}: {one.missing} of"
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
