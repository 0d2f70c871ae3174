"""The one sentence of a report: what to ship and why, or what would decide it."""

from __future__ import annotations

import math
from collections import Counter

from ptx.report.decision.matrix import constraint_words
from ptx.report.gate import Finding, Gate
from ptx.report.table.compare import Comparison, Comparisons
from ptx.report.table.frame import SIZE, Frame
from ptx.report.table.metric_names import short_name, subject
from ptx.report.table.row import RATIO, Row
from ptx.report.table.units import ratio_text, scale_of
from ptx.report.text.spans import Sentence, Span, gap_text, plain, scale_in, the, times_text, value_text
from ptx.report.text.warning import emulated
from ptx.stats import minimum_detectable_effect

NOTHING = "Ship nothing yet: "
LONGEST = 150  # characters of a reason
UNMEASURED = "not measured"
MANY = 3  # findings that the sentence names


def sentence_of(
    frame: Frame,
    comparisons: Comparisons,
    gate: Gate,
    judged: dict[int, list[Finding]],
    chosen: tuple[Row | None, Row | None],
    *,
    usual: bool,
) -> Sentence:
    """The sentence; ``chosen`` are the row to ship and the one that comes nearest to it."""
    pick, near = chosen
    if pick is not None:
        return _ship(frame, comparisons, gate, pick, judged[pick.number], usual=usual)
    return _nothing_known(frame) or _nothing(frame, comparisons, gate, near, judged, usual=usual)


def _ship(
    frame: Frame, comparisons: Comparisons, gate: Gate, row: Row, findings: list[Finding], *, usual: bool
) -> Sentence:
    reasons = reasons_of(frame, comparisons, row)
    kept = [] if usual else [f"keeps all {len(gate.constraints)} constraints of gate {gate.name}"]
    text = ", ".join([*kept, *reasons])
    opened = _open(findings, row)
    unsure = f" Not yet sure: {_ended('; '.join(opened))}" if opened else ""
    return [Span("Ship "), Span(row.label, strong=True), Span(f": {text}.{unsure}")]


def reasons_of(frame: Frame, comparisons: Comparisons, row: Row) -> list[str]:
    """What a row gains and what it costs against its reference, as short phrases."""
    return [text for text in _phrases(frame, comparisons, row) if text]


def _phrases(frame: Frame, comparisons: Comparisons, row: Row) -> tuple[str, str, str]:
    """Size, quality and latency; empty where there is nothing to say."""
    return (
        _size(comparisons, row),
        _quality(frame, comparisons, row),
        _latency(frame, comparisons, row),
    )


def _size(comparisons: Comparisons, row: Row) -> str:
    one, ours = comparisons.get((row.number, SIZE, "")), row.metric(SIZE)
    theirs = row.reference.metric(SIZE) if row.reference else None
    if one is None or ours is None or theirs is None or one.verdict == "same":
        return ""
    return ratio_text(ours.value, theirs.value, "smaller", "larger")


def _quality(frame: Frame, comparisons: Comparisons, row: Row) -> str:
    name = frame.headline
    metric = row.metric(name) if name else None
    if name is None or metric is None:
        return ""
    scale, one = scale_in(frame, name), comparisons.get((row.number, name, ""))
    if one is None:
        return f"{short_name(name)} {value_text(metric, scale)}"
    if one.verdict == "same" and one.how != "exact" and one.difference.tied:
        return f"quality not measurably different ({gap_text(one, scale)})"
    compared = sum(place[1:] == (name, "") for place in comparisons)
    luck = f" (may be luck among {compared} runs)" if one.verdict == "same" and one.how != "exact" else ""
    return f"quality {gap_text(one, scale)}{luck}"


def _latency(frame: Frame, comparisons: Comparisons, row: Row) -> str:
    name = frame.cost
    metric = row.metric(name) if name else None
    one = comparisons.get((row.number, name, "")) if name else None
    if name is None or metric is None or one is None or row.reference is None:
        return ""
    if one.verdict not in ("better", "worse"):
        return "requests as fast within noise" if one.verdict == "same" else ""
    words = ("faster", "slower") if metric.better == "lower" else ("slower", "faster")
    if name == RATIO:
        return times_text(metric, *words)
    base = (row.reference.metric(name) or metric).value
    return f"{ratio_text(metric.value, base, *words)} ({value_text(metric, scale_in(frame, name))})"


def _open(findings: list[Finding], row: Row) -> list[str]:
    """What is undecided about a row, in words."""
    left = [one for one in findings if one.verdict == "undecided"]
    found = _unmeasured([one for one in left if _plainly_unmeasured(one, row)])
    found += [_undecided(one, row) for one in left if not _plainly_unmeasured(one, row)]
    more = [f"{len(found) - MANY} more constraints"] if len(found) > MANY else []
    return found[:MANY] + more


def _plainly_unmeasured(one: Finding, row: Row) -> bool:
    """Whether nobody measured it, and not because of the runtime."""
    return one.note.startswith(UNMEASURED) and not ("latency" in one.name and emulated(row))


def _unmeasured(findings: list[Finding]) -> list[str]:
    """What was not measured, with one hint for all that it would mend."""
    names: dict[str, list[str]] = {}
    for one in findings:
        names.setdefault(one.note, []).append(one.name)
    return [
        f"{' and '.join(found)} {'were' if len(found) > 1 else 'was'} {_clipped(note)}"
        for note, found in names.items()
    ]


def _undecided(one: Finding, row: Row) -> str:
    reason = emulated(row)
    if one.note.startswith(UNMEASURED) and "latency" in one.name and reason:
        return f"{one.name} was not measured ({_clipped(reason)})"
    if one.needed is not None:
        what = "requests" if "requests" in one.note else "items"
        return f"{one.name} (about {one.needed:,} {what} would decide it)"
    return f"{one.name}: {_clipped(one.note)}"


def _ended(text: str) -> str:
    """The text with a full stop, unless it is a question."""
    return text if text.endswith("?") else f"{text}."


def _clipped(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _nothing_known(frame: Frame) -> Sentence:
    """The sentence where there is nothing to decide on; empty where there is."""
    done = [row for row in frame.rows if row.done]
    if not done:
        states = Counter(record.status for row in frame.rows for record in row.records)
        counted = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        return [Span(NOTHING), Span(f"no run has results ({counted}).", strong=True)]
    if frame.headline is None:
        return [Span(NOTHING), Span("no run has a quality metric."), Span(" Add bench to eval=[...].")]
    others = [row for row in done if not row.baseline]
    if len(done) == 1 or not others:
        return _alone(frame, done[0], waiting=len(frame.rows) - len(done))
    return []


def _alone(frame: Frame, row: Row, waiting: int) -> Sentence:
    """One model, with all that is known of it."""
    parts = []
    for name in frame.objectives:
        metric = row.metric(name)
        if metric is not None:
            what = short_name(name) if name == frame.headline else "" if name == SIZE else subject(name)
            value = value_text(metric, scale_in(frame, name))
            parts.append(f"{what} {value}".strip() if name == frame.headline else f"{value} {what}".strip())
    if frame.cost is None:
        parts.append("latency not measured")
    why = f"{waiting} other runs have no results" if waiting else "There is nothing to compare it with"
    hint = "" if waiting else " (ptx eval -m model=A,B compares several)"
    return [Span("One model, "), Span(row.label, strong=True), Span(f": {', '.join(parts)}. {why}{hint}.")]


def _nothing(
    frame: Frame,
    comparisons: Comparisons,
    gate: Gate,
    near: Row | None,
    judged: dict[int, list[Finding]],
    *,
    usual: bool,
) -> Sentence:
    if near is None:
        return _no_gain(frame, comparisons, judged)
    findings = judged[near.number]
    failed = [one for one in findings if one.verdict == "fails"]
    if failed:
        text = "; ".join(_failed(one) for one in failed[:MANY])
        whole = "every gain costs too much." if usual else f"no model keeps gate {gate.name}."
        gains = _gains(frame, comparisons, near)
        start = [Span(f"{NOTHING}{whole} Nearest is "), Span(near.label, strong=True)]
        return [*start, Span(f"{f': {gains}; it' if gains else ', which'} fails {text}.")]
    gains = _gains(frame, comparisons, near)
    start = [Span(f"{NOTHING}nearest is "), Span(near.label, strong=True)]
    return [
        *start,
        Span(f"{f': {gains}' if gains else ''}. Not yet sure: {_ended('; '.join(_open(findings, near)))}"),
    ]


def _failed(one: Finding) -> str:
    """``safety: 0.24 [0.17, 0.32], allowed is ≤ 0.02``."""
    if one.constraint is None:
        return one.name
    scale = scale_of("ratio", [value for value in (one.value, one.low, one.high) if math.isfinite(value)])
    ends = "" if one.low == one.high else f" {scale.interval(one.low, one.high)}"
    return f"{one.name}: {scale.number(one.value)}{ends}, allowed is {constraint_words(one.constraint)}"


def _gains(frame: Frame, comparisons: Comparisons, row: Row) -> str:
    """On what a row is measurably better than its reference."""
    better = [
        (name, text)
        for name, text in zip(
            (SIZE, frame.headline, frame.cost), _phrases(frame, comparisons, row), strict=True
        )
        if text and name and (one := comparisons.get((row.number, name, ""))) and one.verdict == "better"
    ]
    return ", ".join(text for _, text in better)


def _no_gain(frame: Frame, comparisons: Comparisons, judged: dict[int, list[Finding]]) -> Sentence:
    """No run is better than its reference: how large a difference could have been seen."""
    rows = [row for row in frame.rows if row.number in judged and row.reference]
    than = the(rows[0].reference) if rows and rows[0].reference else "its baseline"
    measured = [
        word
        for word, name in (("quality", frame.headline), ("latency", frame.cost), ("size", SIZE))
        if name in frame.names
    ]
    start = f"{NOTHING}no run is measurably better than {than} on {_or(measured)}."
    one = next(
        (one for row in rows if (one := comparisons.get((row.number, frame.headline or "", "")))), None
    )
    return plain(start + (_detectable(frame, one) if one else ""))


def _detectable(frame: Frame, one: Comparison) -> str:
    gap = one.difference
    if one.how == "exact" or not 0 < gap.error < float("inf") or frame.headline is None:
        return ""
    least = scale_in(frame, frame.headline).text(minimum_detectable_effect(gap.error, gap.freedom))
    found = f"a difference of {least} would be found in 80 % of cases"
    return f" With {gap.n:,} items {found}; more items show smaller ones."


def _or(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1] if words else ""]))
