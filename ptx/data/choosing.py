"""Chooses how a table is read: the forms that its columns and values fit, or the question to the user.

A table may hold several shapes for different purposes (pairs beside conversations, as UltraFeedback has
them): each step takes the shape that it needs. Where two forms say the same in different words
(:data:`~ptx.data.shapes.IMITATED`), the one that holds the other's texts is used; else nothing is guessed.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Sequence

from ptx.data.delimited import SEPARATORS
from ptx.data.files import suffix_of
from ptx.data.guessing import guesses, that_fit
from ptx.data.labels import read_labels
from ptx.data.layouts.judged import unnamed_verdict
from ptx.data.records import Row, Table, column_word
from ptx.data.shapes import (
    COMPLETIONS,
    CONVERSATIONS,
    FEEDBACK,
    IMITATED,
    NAMES,
    PROMPTS,
    Form,
    has_value,
    recognise,
    refine,
)
from ptx.errors import ConfigError, Problem

CLOSE = 0.75  # likeness from which on a column is taken for a misspelt one
LAYOUTS = "messages, prompt and completion, chosen and rejected, or text"
#: shapes that a step may take from a table that also holds something to imitate
BESIDE = ("pairs", "thumbs", "prompts")


def choose(table: Table, shape: str | None) -> list[Form]:
    """The forms that the table is read in, at most one of each purpose.

    Raises:
        ConfigError: no form fits, or several of one purpose do.
    """
    found = recognise(table.columns, shape)
    if shape in (None, "thumbs"):
        found += _rated(table, found or recognise(table.columns))
    if not found:
        raise ConfigError(_unknown(table, shape))
    rows = [record.row for record in table.records]
    imitated = [form for form in found if form.shape in IMITATED]
    others = [form for form in found if form.shape not in IMITATED]
    if len(imitated) > 1:
        imitated = [form for form in imitated if _holds(form, imitated, rows)][:1] or imitated
    shapes = [form.shape for form in others]
    apart = len(set(shapes)) == len(shapes) and all(one in BESIDE for one in shapes)
    if len(imitated) > 1 or (len(found) > 1 and others and not apart):
        raise ConfigError(_ambiguous(table, [*imitated, *others]))
    return [refine(form, rows) for form in (*imitated, *others)]


def _rated(table: Table, found: Sequence[Form]) -> list[Form]:
    """The same rows as thumbs, where one column of a log says of replies that they are liked, or not."""
    plain = [form for form in found if form.shape in ("messages", "completions")]
    if len(plain) != 1 or any(form.shape == "thumbs" for form in found):
        return []
    rated = [name for name in FEEDBACK if name in table.columns and _are_verdicts(table, name)]
    return [Form("thumbs", {**plain[0].parts, "label": rated[0]})] if len(rated) == 1 else []


def _are_verdicts(table: Table, column: str) -> bool:
    """Whether everything that is said in a column likes or dislikes, and both are said."""
    said = [record for record in table.records if has_value(record.row.get(column))]
    read, wrong, _ = read_labels("label", column, said)
    return not wrong and {record.row[column] for record in read} == {True, False}


def _holds(form: Form, forms: Sequence[Form], rows: list[Row]) -> bool:
    """Whether the conversations of ``form`` hold the texts of all other forms, in every row."""
    column = form.parts.get("messages")
    wanted = {name for other in forms if other is not form for name in other.columns}
    return column is not None and all(_says(row, column, wanted) for row in rows)


def _says(row: Row, column: str, wanted: set[str]) -> bool:
    turns = row.get(column)
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        return False
    said = [value for turn in turns for value in turn.values() if isinstance(value, str)]
    texts = [row.get(name) for name in wanted]
    return all(isinstance(text, str) and any(text.strip() in one for one in said) for text in texts if text)


def _ambiguous(table: Table, forms: list[Form]) -> Problem:
    readings = " or ".join(f"{form.shape} ({form})" for form in forms)
    shapes = list(dict.fromkeys(form.shape for form in forms))
    if len(shapes) > 1:
        fix = "choose: " + " or ".join(f"data.shape={shape}" for shape in shapes)
    else:
        differing = [
            (part, column)
            for form in forms
            for part, column in form.parts.items()
            if any(other.parts.get(part) != column for other in forms)
        ]
        fix = "say which: " + " or ".join(
            column_word(part, column) for part, column in dict.fromkeys(differing)
        )
    return Problem(f"{table.name} can be read as {readings} (columns {', '.join(table.columns)})", fix)


def _unknown(table: Table, shape: str | None) -> Problem:
    present = table.columns
    if close := _meant(table, shape):
        hint = f"did you mean {_words(close)}"
    elif table.path and suffix_of(table.path) in (".csv", ".tsv") and any(map(_is_value, present)):
        hint = f"if the first line is a row, put the names above it: {_head_line(table, present)}"
    elif verdict := unnamed_verdict(table):
        hint = f"if {verdict} says which of two replies is better: {column_word('verdict', verdict)}"
    elif fitting := next(filter(None, (that_fit(table, one, shape) for one in guesses(table, shape))), None):
        hint = f"name {'it' if len(present) == 1 else 'the columns'}, for example {_words(fitting)}"
    else:
        hint = f"no column holds what can be trained as it is; write the rows in a layout of {LAYOUTS}"
    what = f"cannot be read as {shape}" if shape else "fit no shape that ptx knows"
    return Problem(
        f"the columns of {table.name} {what}: {', '.join(present)}", f"{hint} (names: {', '.join(NAMES)})"
    )


def _meant(table: Table, shape: str | None) -> dict[str, str]:
    """The names that the columns are close to, part -> column, where nothing else is missing."""
    present = table.columns
    other_case = {
        part: column
        for part, known in (("prompt", PROMPTS), ("completion", COMPLETIONS), ("messages", CONVERSATIONS))
        for column in present
        if column not in known and column.strip().lower() in known
    }
    close = other_case or {
        name: column
        for column in present
        for name in NAMES
        if name not in present and difflib.get_close_matches(column, [name], n=1, cutoff=CLOSE)
    }
    return that_fit(table, close, shape)


def _words(columns: dict[str, str]) -> str:
    return " ".join(column_word(part, column) for part, column in columns.items())


def _is_value(column: str) -> bool:
    """Whether the name of a column looks like a value: the file has no line of names then."""
    return len(column) > 40 or column.endswith(("?", ".", "!")) or column.replace(".", "", 1).isdigit()


def _head_line(table: Table, present: list[str]) -> str:
    names = (
        ("text",) if len(present) == 1 else ("prompt", "completion", *map(str, range(3, len(present) + 1)))
    )
    separator = next((sign for sign, said in SEPARATORS.items() if said and f"{said}s" in table.note), ",")
    return f"sed -i '1i {separator.join(names)}' {shlex.quote(str(table.path or table.name))}"
