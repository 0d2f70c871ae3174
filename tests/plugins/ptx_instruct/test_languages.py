"""The languages of instructions."""

from __future__ import annotations

from ptx_instruct.languages import MOST, OTHER, language_of, shares

GERMAN = "Welches Wort passt nicht zu den anderen Wörtern in dieser Liste?"
ENGLISH = "Which of these words does not belong to the others in this list?"


def test_every_text_counts_once_and_what_tells_nothing_is_other():
    found = shares([ENGLISH] * 6 + [GERMAN] * 3 + ["12 + 7 = ?"])
    assert found == {"language_en": 0.6, "language_de": 0.3, "language_other": 0.1}


def test_a_text_without_letters_has_no_language():
    assert [language_of("1 2 3"), language_of(GERMAN)] == [OTHER, "de"]


def test_no_text_has_no_shares_and_a_long_list_is_read_in_part(monkeypatch):
    asked = []
    monkeypatch.setattr("ptx_instruct.languages.language_of", lambda text: asked.append(text) or "en")
    assert shares([]) == {}
    assert shares([str(place) for place in range(3 * MOST + 1)]) == {"language_en": 1.0}
    assert len(asked) <= MOST
    assert int(asked[-1]) > 2.9 * MOST
