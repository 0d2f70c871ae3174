"""The gate matrix: a sign per constraint, and under an open one what decides it."""

from __future__ import annotations

from ptx.report.decision.matrix import constraint_words, matrix_of
from ptx.report.gate import Constraint, Gate
from ptx.report.table.units import MINUS, TIMES
from tests.ptx.report.decision.worlds import QUALITY, RATIO, decided, model


def test_an_open_constraint_has_the_number_of_items_below_it():
    frame, _, _ = decided(
        model("baseline", 0.5, 1e6, 1.0, baseline=True),
        model("m", 0.5, 1e6, half=0.06, n=100),
        model("f", status="failed"),
    )
    gate = Gate("g", {"good": Constraint(QUALITY, at_least=0.46), "fast": Constraint(RATIO, at_most=1.0)})
    lines = {line.row.label: line for line in matrix_of(gate, frame.rows).lines}
    good, fast = lines["m"].cells
    assert (good.sign, fast.sign, fast.short) == ("?", "?", "not measured")
    assert good.short.startswith("n ≈ ")
    assert "items would decide it" in good.note
    assert [cell.sign for cell in lines["f"].cells] == ["?", "?"]  # a run that failed leaves everything open
    assert {cell.short for cell in lines["f"].cells} == {"no results"}
    assert lines["baseline"].state == "undecided"


def test_a_failed_constraint_has_what_was_measured_below_it():
    frame, _, _ = decided(model("baseline", 0.5, 1e6, 1.0, baseline=True), model("m", 0.3, 2e6, 1.5))
    gate = Gate(
        "g",
        {
            "good": Constraint(QUALITY, at_least=-0.02, versus="baseline"),
            "small": Constraint("size/bytes_on_disk", at_most=1.0, versus="ratio"),
            "fast": Constraint(RATIO, at_most=1.1),
            "sure": Constraint(QUALITY, at_least=0.1),
        },
    )
    cells = matrix_of(gate, frame.rows).lines[1].cells
    assert [cell.short for cell in cells] == [f"{MINUS}0.2", f"2 {TIMES}", f"1.5 {TIMES}", ""]


def test_without_a_baseline_an_open_constraint_says_so():
    frame, _, _ = decided(model("m", 0.5, 1e6))
    gate = Gate("g", {"good": Constraint(QUALITY, at_least=-0.02, versus="baseline")})
    assert matrix_of(gate, frame.rows).lines[0].cells[0].short == "no baseline"


def test_a_bound_is_told_in_words():
    assert (
        constraint_words(Constraint("a", at_most=0.9, versus="ratio"))
        == "≤ 0.9 \N{MULTIPLICATION SIGN} baseline"
    )
    assert (
        constraint_words(Constraint("a", at_least=-0.02, versus="baseline"))
        == "≥ \N{MINUS SIGN}0.02 to baseline"
    )
    assert constraint_words(Constraint("a", at_least=0.5)) == "≥ 0.5"
    assert constraint_words(Constraint(RATIO, at_most=1.1)) == f"≤ 1.1 {TIMES} baseline"
