"""The sentence: what to ship with figures, or what would decide it."""

from __future__ import annotations

from ptx.report.table.units import MINUS
from ptx.report.text.spans import words_of
from tests.ptx.report.decision.worlds import decided, model

BASE = model("baseline", 0.5, 1e6, 1.0, baseline=True)


def said(*records):
    return words_of(decided(*records)[2].sentence)


def test_what_is_shipped_is_said_with_figures_and_intervals():
    text = said(BASE, model("small", 0.7, 2.5e5, 0.5))
    assert text.replace("\N{MULTIPLICATION SIGN}", "x") == (
        "Ship small: 4.0x smaller, quality +0.200 [+0.186, +0.214], 2.0x faster [1.9, 2.1]."
    )


def test_what_one_evaluator_would_measure_is_said_once():
    text = said(model("baseline", 0.5, baseline=True), model("better", 0.9))
    assert text.endswith("Not yet sure: size and latency were not measured; add latency to eval=[...].")


def test_a_gain_that_costs_too_much_is_named_with_what_it_fails():
    text = said(BASE, model("small", 0.3, 2.5e5, 1.0))
    assert text.startswith("Ship nothing yet: every gain costs too much. Nearest is small: 4.0")
    assert text.replace(MINUS, "-").endswith(
        "smaller; it fails quality: -0.200 [-0.214, -0.186], allowed is ≥ -0.02 to baseline."
    )


def test_without_a_gain_the_difference_that_could_have_been_found_is_said():
    text = said(BASE, model("same", 0.501, 1e6, 1.0))
    assert "no run is measurably better than the baseline on quality, latency or size." in text
    assert "would be found in 80 % of cases" in text


def test_an_open_quality_says_how_many_items_decide_it():
    text = said(BASE, model("small", 0.5, 2.5e5, 1.0, half=0.06, n=100))
    assert text.startswith("Ship nothing yet: nearest is small: 4.0")
    assert "Not yet sure: quality (about " in text
    assert "items would decide it)." in text


def test_one_model_is_described_and_not_compared():
    assert said(BASE).startswith("One model, baseline: bench mean 0.500 [0.490, 0.510], ")


def test_no_results_and_no_quality_are_said():
    assert (
        said(model("a", status="failed"), model("b", status="failed"))
        == "Ship nothing yet: no run has results (2 failed)."
    )
    assert "no run has a quality metric. Add bench to eval=[...]." in said(
        model("a", None, 1e6), model("b", None, 2e6)
    )
