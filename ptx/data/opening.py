"""Opens a data choice: finds the files, reads them, recognises their form and converts every row.

All problems are reported at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ptx.data.bad import CHOICES, BadRows
from ptx.data.choosing import choose
from ptx.data.convert import convert, strip_repeated_prompts
from ptx.data.dataset import DataSet, Source
from ptx.data.derive import DERIVATIONS
from ptx.data.drop import without
from ptx.data.files import find_files
from ptx.data.labels import read_labels
from ptx.data.layouts.judged import is_judged, pairs_of, replies_of
from ptx.data.layouts.message_table import conversations_of, may_hold_messages
from ptx.data.read import read_table
from ptx.data.records import Fault, Record, Table, column_word
from ptx.data.rules import faults_of, unreadable
from ptx.data.shapes import FEEDBACK, NAMES, SHAPES, Form, has_value, recognise
from ptx.data.tools import RowError
from ptx.errors import ConfigError, Problem, counted, did_you_mean

Columns = Mapping[str, str]


def open_data(
    name: str,
    path: Path,
    *,
    limit: int | None = None,
    columns: Columns | None = None,
    shape: str | None = None,
    drop: Sequence[str] = (),
    bad: str = "final",
) -> DataSet:
    """Open a file or folder.

    Args:
        name: what the user calls the data, for messages.
        path: the file or folder.
        limit: the number of rows that are used of each shape; later rows are not read.
        columns: canonical column -> the file's column (``{"prompt": "question"}``).
        shape: the shape that is meant, where the columns fit several.
        drop: columns, or keys of messages, that are left out.
        bad: what happens to rows that cannot be used.

    Raises:
        ConfigError: with everything that is wrong with the data.
    """
    columns = columns or {}
    wrong = list(_wrong_settings(limit, columns, shape, bad))
    if wrong:
        raise ConfigError(wrong)
    files = find_files(path, SHAPES)
    sources: list[Source] = []
    problems: list[Problem] = []
    if len(files) > 1 or "" not in files:
        files = {wanted: files[wanted] for wanted in files if shape in (None, wanted)} or files
    for wanted, found in files.items():
        try:
            rows = BadRows(bad)
            read = partial(_read, found, columns, drop, rows, optional=bool(wanted))
            sources += _open(read, rows, limit, wanted, shape)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return DataSet(name, path, _by_shape(sources), limit)


def _wrong_settings(limit: int | None, columns: Columns, shape: str | None, bad: str) -> Iterable[Problem]:
    if bad not in CHOICES:
        yield Problem(f"data.bad must be refuse or drop, got {bad!r}", "type data.bad=drop")
    if limit is not None and limit < 1:
        yield Problem(f"data.limit must be at least 1, got {limit}", "try data.limit=100, or leave it out")
    if shape is not None and shape not in SHAPES:
        close = [*difflib.get_close_matches(shape, SHAPES, n=1), SHAPES[0]][0]
        yield Problem(f"no shape {shape!r} (known: {', '.join(SHAPES)})", f"try data.shape={close}")
    for part in columns:
        if part not in NAMES:
            yield Problem(f"data.columns has no {part!r}", did_you_mean(part, NAMES))


def _by_shape(sources: list[Source]) -> dict[str, Source]:
    """Shape -> its source: the file of that native shape, else the best file that it can be derived from."""
    given = {source.native: source for source in sources}
    derived = {
        target: given[base]
        for target, bases in DERIVATIONS.items()
        for base in reversed(bases)
        if base in given and given[base].form.shape == base
    }
    return {**derived, **given}


def _open(
    read: Callable[[int | None], Table], bad: BadRows, limit: int | None, only: str, shape: str | None
) -> list[Source]:
    """The rows of a file in each of the shapes that it holds."""
    found = read(limit)
    if limit is not None and may_hold_messages(found):
        whole = read(None)  # the limit counts conversations, and one message does not tell that it is one
        found = whole if whole not in conversations_of(whole) else found
    tables = conversations_of(found)
    if found not in tables and bad.left_out:
        line = min(place[1] for place in bad.left_out)
        what = f"file {found.name} line {line}: a message of a conversation cannot be read"
        raise ConfigError(
            Problem(what, "mend it: data.bad=drop leaves out rows, and not parts of conversations")
        )
    if only or shape:
        tables = [table for table in tables if recognise(table.columns, only or shape)] or tables
    sources: list[Source] = []
    for table in tables:
        rows = table
        if is_judged(table.columns, only or shape):
            rows = pairs_of(table, bad)
        elif shape == "completions":
            rows = replies_of(table, bad)
        for form in choose(rows, only or shape):
            if only and form.shape != only and form.shape not in DERIVATIONS.get(only, {}):
                what = f"file {table.name} is called {only} but holds {form.shape} ({form})"
                raise ConfigError(Problem(what, f"call it {form.shape}"))
            sources.append(Source(*_converted(rows, form, bad), only, bad))
    return sources


def _converted(table: Table, form: Form, bad: BadRows) -> tuple[Table, Form, list[Record]]:
    """The table with its labels read, its form, and the canonical rows.

    Raises:
        ConfigError: with every row that does not fit the form.
    """
    total = len(table.records)
    table, faults = _with_labels(table, form)
    if faults and bad.drops:
        good = bad.sift(table.records, faults)
        table, faults = _with_labels(replace(table, records=good), form)
    records: list[Record] = []
    for record in table.records:
        try:
            records.append(record._replace(row=convert(form, record.row)))
        except RowError as fault:
            faults.append(Fault(record, str(fault), fault.fix or _fix(form, record)))
    records = bad.sift(records, faults, total)
    if bad.drops:
        records = bad.sift(records, faults_of(records, unreadable(form.shape)))
    if form.shape == "pairs":
        rows = strip_repeated_prompts([record.row for record in records])
        records = [record._replace(row=row) for record, row in zip(records, rows, strict=True)]
    return table, form, records


def _fix(form: Form, record: Record) -> str:
    column = form.parts.get("messages", "")
    if isinstance(record.row.get(column), str):
        as_text = f"or train it as text: {column_word('text', column)}"
        return f'write [{{"role": "user", "content": "..."}}, ...], {as_text}'
    return f"fill it or delete the row (rows of this file are read as {form.shape}: {form})"


def _with_labels(table: Table, form: Form) -> tuple[Table, list[Fault]]:
    """The table with true and false as its labels, and the rows whose label is neither."""
    part = next((part for part in ("label", "harmful") if part in form.parts), "")
    if not part:
        return table, []
    column, given = form.parts[part], table.records
    if column in FEEDBACK:  # in a log most replies have none
        given = [record for record in given if has_value(record.row.get(column))]
    records, faults, note = read_labels(part, column, given)
    if silent := len(table.records) - len(given):
        note = "; ".join(filter(None, (note, f"{counted(silent, 'row')} without {column} left out")))
    others = [shape for shape in ("messages", "completions", "prompts") if recognise(table.columns, shape)]
    if others and part == "label":
        fix = f"write true or false, or leave the label out: data.shape={others[0]}"
        faults = [fault._replace(fix=fix) for fault in faults]
    return replace(table, records=records, note="; ".join(filter(None, (table.note, note)))), faults


def _read(
    files: list[Path],
    columns: Columns,
    drop: Sequence[str],
    bad: BadRows,
    limit: int | None,
    *,
    optional: bool,
) -> Table:
    """The first ``limit`` rows of a file with their columns renamed, and without those to drop."""
    table = _renamed(read_table(files, limit, bad), columns, optional=optional)
    return table if not drop else without(table, drop, optional=optional)


def _renamed(table: Table, columns: Columns, *, optional: bool) -> Table:
    present = table.columns
    unknown = [column for column in columns.values() if column not in present]
    if unknown and not optional:
        raise ConfigError(
            [
                Problem(
                    f"data.columns.{part}={column}: {table.name} has no column {column}",
                    did_you_mean(column, present),
                )
                for part, column in columns.items()
                if column in unknown
            ]
        )
    chosen = {part: column for part, column in columns.items() if column in present}
    if not chosen:
        return table
    replaced = {*chosen, *chosen.values()}
    records = [
        record._replace(
            row={
                **{part: record.row[column] for part, column in chosen.items() if column in record.row},
                **{name: value for name, value in record.row.items() if name not in replaced},
            }
        )
        for record in table.records
    ]
    return replace(table, records=records)
