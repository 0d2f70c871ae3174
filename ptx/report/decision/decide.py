"""Which model to ship: the rule behind the sentence, the cards and the matrix of a report.

A model is *fit* if it keeps the gate. Of the gate that a user has named every constraint must hold. Of the
usual gate no constraint may fail and quality must hold: what was not measured is said, and does not stop the
recommendation. A fit model must also be measurably better than its reference on quality, size or latency,
else there is no reason to ship it (a user's gate is its own reason).

Of the fit models that are within noise of the best one, the smallest is picked: nobody can see that it is
worse. Among equally small ones the one that is measurably faster than its reference with the least latency,
else the one with the best headline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ptx.report.decision import leaders
from ptx.report.decision.cards import Card, cards_of, within_noise
from ptx.report.decision.matrix import FINALISTS, Matrix, matrix_of
from ptx.report.decision.sentence import sentence_of
from ptx.report.decision.usual import usual_gate
from ptx.report.gate import Finding, Gate, judge, state_of
from ptx.report.table.compare import NEGLIGIBLE, Comparisons
from ptx.report.table.frame import SIZE, Frame
from ptx.report.table.row import Row
from ptx.report.text.spans import Sentence
from ptx.stats.pareto import Place

Judged = dict[int, list[Finding]]  # row number -> the findings on it


@dataclass(frozen=True)
class Decision:
    """What a reader decides from."""

    pick: Row | None
    sentence: Sentence
    cards: list[Card]
    matrix: Matrix
    usual: bool  # whether nobody has named a gate


def decide(
    frame: Frame, comparisons: Comparisons, places: dict[int, Place], gate: Gate | None = None
) -> Decision:
    """The decision of a report, by the user's gate or the usual one."""
    chosen, rows = gate or usual_gate(frame), candidates(frame)
    judged = {row.number: judge(chosen, row) for row in rows}
    pick = picked(frame, comparisons, rows, judged, usual=gate is None)
    able = [row for row in rows if improves(frame, comparisons, row)] if gate is None else rows
    near = nearest(frame, able, judged)
    cards = cards_of(frame, comparisons)
    first = [row for row in (pick or near, *(card.row for card in cards)) if row is not None]
    order = [*first, *(row for row in rows if _standing(places, row) == "front")]
    order += [row for row in rows if _standing(places, row) == "near"]
    able_numbers = {row.number for row in rows}
    finalists = list({row.number: row for row in order if row.number in able_numbers}.values())
    sentence = sentence_of(frame, comparisons, chosen, judged, (pick, near), usual=gate is None)
    return Decision(pick, sentence, cards, matrix_of(chosen, finalists[:FINALISTS]), gate is None)


def _standing(places: dict[int, Place], row: Row) -> str:
    place = places.get(row.number)
    return place.standing if place else ""


def candidates(frame: Frame) -> list[Row]:
    """The rows that could be shipped: those with results, without the baselines."""
    return [row for row in frame.rows if row.done and not row.baseline]


def picked(
    frame: Frame, comparisons: Comparisons, rows: Sequence[Row], judged: Judged, *, usual: bool
) -> Row | None:
    """The row to ship; None if there is none."""
    fit = [row for row in rows if is_fit(judged[row.number], usual=usual)]
    if usual:
        fit = [row for row in fit if improves(frame, comparisons, row)]
    if not fit:
        return None
    near = {row.number for row in within_noise(frame)}
    top = [row for row in fit if row.number in near] or best_first(frame, fit)[:1]
    return smallest_of(frame, comparisons, top)


def is_fit(findings: Sequence[Finding], *, usual: bool) -> bool:
    """Whether the gate lets a model through, as far as the report's rule goes."""
    if not usual:
        return state_of(findings) == "ships"
    held = {one.name for one in findings if one.verdict == "holds"}
    return "quality" in held and all(one.verdict != "fails" for one in findings)


def improves(frame: Frame, comparisons: Comparisons, row: Row) -> bool:
    """Whether a row is measurably better than its reference on an objective."""
    found = [comparisons.get((row.number, name, "")) for name in frame.objectives]
    return any(one is not None and one.verdict == "better" for one in found)


def best_first(frame: Frame, rows: Sequence[Row]) -> list[Row]:
    """The rows by their headline; those without one last."""
    return _by(frame.headline, frame, rows)


def _by(name: str | None, frame: Frame, rows: Sequence[Row]) -> list[Row]:
    sign = -1.0 if name and frame.sample(name).better == "higher" else 1.0

    def key(row: Row) -> float:
        metric = row.metric(name) if name else None
        return sign * metric.value if metric else float("inf")

    return sorted(rows, key=key)


def smallest_of(frame: Frame, comparisons: Comparisons, rows: Sequence[Row]) -> Row:
    """The smallest row; among equally small ones the measurably fast, else the best."""
    sizes = {row.number: metric.value for row in rows if (metric := row.metric(SIZE))}
    least = min(sizes.values(), default=0.0)
    small = [row for row in rows if sizes.get(row.number, least) <= least * (1 + NEGLIGIBLE)]
    small = [row for row in small if row.number in sizes] or small
    cost = frame.cost
    if cost and not leaders.times_apart(frame):
        quick = [row for row in small if _better(comparisons, row, cost)]
        if quick:
            return _by(cost, frame, quick)[0]
    return best_first(frame, small)[0]


def _better(comparisons: Comparisons, row: Row, name: str) -> bool:
    one = comparisons.get((row.number, name, ""))
    return one is not None and one.verdict == "better"


def nearest(frame: Frame, rows: Sequence[Row], judged: Judged) -> Row | None:
    """The row that comes nearest to the gate: the fewest failures, then the least violation."""

    def distance(row: Row) -> tuple[int, float]:
        findings = judged[row.number]
        failed = sum(one.verdict == "fails" for one in findings)
        return failed, sum(max(0.0, one.violation) for one in findings)

    ordered: Callable[[Row], tuple[int, float]] = distance
    return min(best_first(frame, rows), key=ordered, default=None)
