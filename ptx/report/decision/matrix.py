"""The gate matrix: one line per finalist, one cell per constraint, and what would decide the open ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ptx.report.gate import Constraint, Finding, Gate, State, Verdict, judge, state_of
from ptx.report.table.row import RATIO, Row
from ptx.report.table.units import MINUS, TIMES

SIGNS: dict[Verdict, str] = {"holds": "✓", "fails": "✗", "undecided": "?"}
NO_BASELINE = "no baseline"
#: words of a finding -> what stands under the sign
SHORT = {
    "not measured": "not measured",
    "no number of items": "no n decides",
    "no finished baseline": NO_BASELINE,
    "cannot be compared": "not comparable",
    "without results": "no results",
}
FINALISTS = 8  # lines of the matrix


@dataclass(frozen=True)
class Cell:
    """The verdict on one constraint; ``short`` stands under one that does not hold, ``note`` has it all."""

    verdict: Verdict
    short: str
    note: str

    @property
    def sign(self) -> str:
        """✓ ✗ or ?."""
        return SIGNS[self.verdict]


@dataclass(frozen=True)
class Line:
    """One finalist."""

    row: Row
    state: State
    cells: list[Cell]


@dataclass(frozen=True)
class Matrix:
    """The constraints of a gate, and the finalists' findings on them."""

    gate: str
    heads: list[tuple[str, str, str]]  # name, the constraint in words, why
    lines: list[Line]


def matrix_of(gate: Gate, rows: Sequence[Row]) -> Matrix:
    """The matrix of some rows, in their order."""
    heads = [(name, constraint_words(one), one.why) for name, one in gate.constraints.items()]
    return Matrix(gate.name, heads, [_line(gate, row) for row in rows])


def constraint_words(one: Constraint) -> str:
    """The bound in words: ``≥ 0.9 x baseline``."""
    sign, bound = ("≥" if one.at_least is not None else "≤"), one.bound
    if one.versus == "ratio" or (not one.versus and one.metric == RATIO):
        return f"{sign} {bound:g} {TIMES} baseline"
    if one.versus == "baseline":
        return f"{sign} {bound:+g} to baseline".replace("-", MINUS)
    return f"{sign} {bound:g}".replace("-", MINUS)


def _line(gate: Gate, row: Row) -> Line:
    findings = judge(gate, row)
    by_name = {one.name: one for one in findings}
    # a finding on no constraint (a run without results, a missing seed) leaves every constraint open
    general = next((one for one in findings if one.name not in gate.constraints), None)
    cells = [_cell(by_name.get(name) or general) for name in gate.constraints]
    return Line(row, state_of(findings), cells)


def _cell(one: Finding | None) -> Cell:
    assert one is not None  # judge() answers on every constraint, or on the row as a whole
    words = {"holds": "", "fails": _measured(one), "undecided": _short(one)}
    return Cell(one.verdict, words[one.verdict], str(one))


def _measured(one: Finding) -> str:
    """What a failed constraint found: ``-0.36``, ``1.32 x``."""
    if one.constraint is None or not math.isfinite(one.value):
        return ""
    if one.constraint.versus == "baseline":
        return f"{one.value:+.3g}".replace("-", MINUS)
    times = f" {TIMES}" if one.constraint.versus == "ratio" or one.constraint.metric == RATIO else ""
    return f"{one.value:.3g}{times}".replace("-", MINUS)


def _short(one: Finding) -> str:
    if one.needed is not None:
        return f"n ≈ {one.needed:,}"
    return next((short for words, short in SHORT.items() if words in one.note), "unknown")
