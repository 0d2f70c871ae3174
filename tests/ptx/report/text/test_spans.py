"""Sentences as spans."""

from ptx.report.text.spans import Span, plain, words_of


def test_a_sentence_without_emphasis_is_its_words():
    assert words_of([Span("Ship "), Span("a", strong=True), Span(".")]) == "Ship a."
    assert plain("Ship a.") == [Span("Ship a.")]
