"""Sentences as spans."""

import math

from ptx.records import Metric
from ptx.report.table.units import TIMES
from ptx.report.text.spans import Span, plain, times_text, words_of


def test_a_sentence_without_emphasis_is_its_words():
    assert words_of([Span("Ship "), Span("a", strong=True), Span(".")]) == "Ship a."
    assert plain("Ship a.") == [Span("Ship a.")]


def test_a_ratio_is_told_in_the_direction_that_a_reader_uses():
    def told(value, low, high):
        ratio = Metric("latency/request_ratio", value, "ratio", "lower", low, high, 10)
        return times_text(ratio, "faster", "slower").replace(TIMES, "x")

    assert told(0.25, 0.2, 0.5) == "4.0x faster [2.0, 5.0]"
    assert told(0.8, 0.64, 1.0) == "1.25x faster [1.00, 1.56]"
    assert told(2.0, 1.0, 4.0) == "2.0x slower [1.0, 4.0]"
    assert told(0.5, 0.0, math.inf) == "2.0x faster [0.0, ∞]"
    assert told(1.0, 0.9, 1.1) == ""
