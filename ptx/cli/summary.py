"""What a report says, in the terminal: the sentence, the gate by finalist, and a short table.

A table fits the width: its heads are broken into lines, then the intervals go below the values, then the
columns that matter least are left out and named below. In a pipe every row is one line.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from ptx.report.building import Findings
from ptx.report.decision.matrix import NO_BASELINE, Matrix
from ptx.report.formats.headline import LISTED, Column, Headline, headline, short_names
from ptx.report.text.warning import NOT_TIMED, strongest_warning

GAP = "  "
NARROWEST_HEAD = 10  # cells; a head is not broken into shorter lines
STYLES = {"✓": "green", "▲": "green", "✗": "red", "▼": "red", "?": "yellow", "●": "bold"}
STATES = {"ships": "ships", "fails": "fails", "undecided": "not yet sure"}


def print_summary(console: Console, found: Findings, most: int = LISTED) -> None:
    """Print what a report says, with at most ``most`` rows; the paths of its files are for the caller."""
    sentence = [(span.text, "bold" if span.strong else "") for span in found.decision.sentence]
    _print(console, Text.assemble(*sentence))
    warning = _warning(found)
    if warning:
        _print(console, Text(f"⚠ {warning}.", style="yellow"))
    console.print()
    matrix = matrix_lines(found, _room(console))
    if matrix:
        _print(console, *matrix, Text())
    print_runs(console, found, most)


def print_runs(console: Console, found: Findings, most: int = LISTED) -> None:
    """Print the table of at most ``most`` rows, and what its marks mean."""
    table = headline(found.view, found.decision, found.places, most)
    _print(console, *table_lines(table, _room(console)))
    if table.legend:
        _print(console, Text(table.legend, style="dim"))


def _room(console: Console) -> int:
    return console.width if console.is_terminal else sys.maxsize


def _print(console: Console, *lines: Text) -> None:
    """Lines that a terminal breaks between words, and that are whole in a pipe."""
    for line in lines:
        console.print(line, soft_wrap=not console.is_terminal)


def _warning(found: Findings) -> str:
    """The strongest warning about the model that the sentence names."""
    lines, frame = found.decision.matrix.lines, found.view.frame
    row = found.decision.pick or (lines[0].row if lines else None)
    if row is None:
        return ""
    text = strongest_warning(frame, found.view.comparisons, row)
    if text.startswith(NOT_TIMED):  # the sentence says so
        return ""
    return f"{row.label} {text}" if text.startswith("forgets") else f"{row.label}: {text}" if text else ""


def matrix_lines(found: Findings, width: int) -> list[Text]:
    """The gate by finalist; nothing where it is wider than the terminal."""
    matrix = found.decision.matrix
    if all(cell.short == NO_BASELINE for line in matrix.lines for cell in line.cells):
        return []
    columns = _matrix_columns(matrix, short_names(found.view.frame, [line.row for line in matrix.lines]))
    for tried in (columns, [replace(column, below="") for column in columns]):
        if _width(tried, stacked=False) <= width:
            return _drawn(tried, stacked=False)
    return []


def _matrix_columns(matrix: Matrix, names: list[str]) -> list[Column]:
    found = [Column(f"gate {matrix.gate}", "", names)]
    for place, (name, words, _) in enumerate(matrix.heads):
        cells = [line.cells[place] for line in matrix.lines]
        found.append(Column(name, words, [f"{cell.sign} {cell.short}".strip() for cell in cells]))
    return [*found, Column("verdict", "", [STATES[line.state] for line in matrix.lines])]


def table_lines(table: Headline, width: int) -> list[Text]:
    """The lines of the table, and what it leaves out."""
    columns, stacked, dropped = fitted(table.columns, width)
    lines = _drawn(columns, stacked=stacked)
    if table.left_out:
        lines.append(Text(f"{table.left_out}: report.html"))
    if dropped:
        lines.append(Text(f"no room here, but in report.html: {', '.join(dropped)}"))
    return lines


def fitted(columns: Sequence[Column], width: int) -> tuple[list[Column], bool, list[str]]:
    """The columns that fit, whether intervals stand below their values, and the heads of what is left out."""
    main = [column for column in columns if not column.spare]
    for tried in (list(columns), main):
        if _width(tried, stacked=False) <= width:
            return tried, False, [column.head for column in columns if column not in tried]
    kept, dropped = list(columns), list[str]()
    while _width(kept, stacked=True) > width and (least := _least(kept)) is not None:
        dropped.insert(0, kept.pop(least).head)
    return kept, True, dropped


def _least(columns: Sequence[Column]) -> int | None:
    """The place of the column that matters least: the last metric but one, then the last setting."""
    metrics = [place for place, column in enumerate(columns) if column.intervals]
    settings = [place for place, column in enumerate(columns) if not column.intervals and column.head]
    if len(metrics) > 1:
        return metrics[-1]
    return settings[-1] if len(settings) > 1 else None


def _width(columns: Sequence[Column], *, stacked: bool) -> int:
    return sum(_column_width(column, stacked=stacked) for column in columns) + len(GAP) * (len(columns) - 1)


def _column_width(column: Column, *, stacked: bool) -> int:
    heads = [column.below, *_broken(column, stacked=stacked)]
    cells = [line for cell in _cells(column, stacked=stacked) for line in cell]
    return max(map(cell_len, [*heads, *cells]))


def _cells(column: Column, *, stacked: bool) -> list[list[str]]:
    """The lines of each cell."""
    if not column.intervals:
        return [[value] for value in column.values]
    room = max(map(cell_len, column.values))
    values = [" " * (room - cell_len(value)) + value for value in column.values]
    parts = zip(values, column.intervals, column.marks, strict=True)
    if not stacked:
        return [[" ".join(filter(None, part))] for part in parts]
    return [[f"{value} {mark}".rstrip(), interval] for value, interval, mark in parts]


def _broken(column: Column, *, stacked: bool) -> list[str]:
    """The head in lines that are no wider than the cells, where it can be broken."""
    cells = [line for cell in _cells(column, stacked=stacked) for line in cell]
    room = max(NARROWEST_HEAD, *map(cell_len, [column.below, *cells]))
    lines = [""]
    for word in re.split(r"(?<=[\s_.])", column.head):
        if lines[-1] and cell_len(lines[-1] + word.rstrip()) > room:
            lines.append("")
        lines[-1] += word
    return [line.rstrip() for line in lines]


def _drawn(columns: Sequence[Column], *, stacked: bool) -> list[Text]:
    """The heads, with their ends on one line, and the rows."""
    widths = [_column_width(column, stacked=stacked) for column in columns]
    below = any(column.below for column in columns)
    heads = [[*_broken(column, stacked=stacked), *([column.below] if below else [])] for column in columns]
    height = max(map(len, heads))
    made = _block([[""] * (height - len(head)) + head for head in heads], widths, style="bold")
    for row in zip(*(_cells(column, stacked=stacked) for column in columns), strict=True):
        made += _block(row, widths)
    return made


def _block(cells: Sequence[Sequence[str]], widths: Sequence[int], style: str = "") -> list[Text]:
    lines = []
    for texts in zip_longest(*cells, fillvalue=""):
        padded = (set_cell_size(text, width) for text, width in zip(texts, widths, strict=True))
        line = Text(GAP.join(padded).rstrip(), style=style)
        for mark, colour in STYLES.items() if not style else ():
            line.highlight_regex(rf"(?<!\S){re.escape(mark)}(?!\S)", colour)
        lines.append(line)
    return lines
