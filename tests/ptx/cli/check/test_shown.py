"""Rows with the trained tokens marked: in colour, in marks, and as a page in which a row is text."""

from ptx.cli.check.shown import page, show
from ptx.plan.trained import CUT, READ, TRAINED, ShownRow

ROW = ShownRow(
    "file my.jsonl line 1",
    "chosen",
    [(READ, 1, "<|user|>Hi\n"), (TRAINED, 2, "<b>Yes"), (TRAINED, 3, ".</b>"), (CUT, 4, " Bye")],
)


def test_marks_stand_around_what_is_trained_where_there_are_no_colours():
    text = "\n".join(show(ROW, colour=False))
    assert "file my.jsonl line 1, chosen: 2 of 4 tokens trained, 1 cut off (⟦...⟧: trained)" in text
    assert "⟦<b>Yes.</b>⟧⟨cut:  Bye⟩" in text
    assert "\x1b" not in text


def test_a_terminal_shows_colours():
    text = "\n".join(show(ROW, colour=True))
    assert "\x1b[30;42m<b>Yes.</b>\x1b[0m" in text
    assert "⟦" not in text


def test_a_page_holds_the_text_of_rows_as_text():
    made = page([ROW])
    assert "<mark>&lt;b&gt;Yes.&lt;/b&gt;</mark><del> Bye</del>" in made
    assert "&lt;|user|&gt;Hi" in made
    assert "<script" not in made
