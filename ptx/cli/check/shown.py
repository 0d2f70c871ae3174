"""Rows with the trained tokens marked: in colour on a terminal, in marks elsewhere, and as a page."""

from __future__ import annotations

import html
import sys
from collections.abc import Iterator, Sequence

from ptx.plan.trained import CUT, READ, TRAINED, ShownRow

GREEN, GREY, RESET = "\x1b[30;42m", "\x1b[2;9m", "\x1b[0m"
COLOURS = {TRAINED: (GREEN, RESET), CUT: (GREY, RESET), READ: ("", "")}
MARKS = {TRAINED: ("⟦", "⟧"), CUT: ("⟨cut: ", "⟩"), READ: ("", "")}
STYLE = """\
body { font: 15px/1.6 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid #ccc; padding: 1rem; }
mark { background: #b7ebc0; } del { color: #888; }
h2 { font-size: 1rem; }"""


def show(row: ShownRow, *, colour: bool | None = None) -> Iterator[str]:
    """The lines of a row; in colour where the output is a terminal."""
    coloured = sys.stdout.isatty() if colour is None else colour
    ways = COLOURS if coloured else MARKS
    yield ""
    yield f"  {heading(row)} ({'green' if coloured else '⟦...⟧'}: trained)"
    text = "".join(f"{ways[fate][0]}{piece}{ways[fate][1]}" for fate, piece in row.pieces())
    yield from (f"    {line}" for line in text.split("\n"))


def heading(row: ShownRow) -> str:
    """Which row it is, and how many of its tokens are trained."""
    cut = f", {row.count(CUT)} cut off" if row.count(CUT) else ""
    part = f", {row.part}" if row.part else ""
    return f"{row.place}{part}: {row.count(TRAINED)} of {len(row.tokens)} tokens trained{cut}"


def page(rows: Sequence[ShownRow]) -> str:
    """A page of its own, without a script: whatever a row holds is text in it."""
    parts = [f"<h2>{html.escape(heading(row))}</h2>\n<pre>{_marked(row)}</pre>" for row in rows]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>ptx check</title>'
        f"<style>\n{STYLE}\n</style></head><body>\n<h1>Trained tokens</h1>\n<p><mark>Green</mark> is trained,"
        " the rest is read; <del>struck</del> is cut off.</p>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _marked(row: ShownRow) -> str:
    tags = {TRAINED: ("<mark>", "</mark>"), CUT: ("<del>", "</del>"), READ: ("", "")}
    return "".join(f"{tags[fate][0]}{html.escape(text)}{tags[fate][1]}" for fate, text in row.pieces())
