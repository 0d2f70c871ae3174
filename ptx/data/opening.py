"""Opens a data choice: finds the files, reads them, recognises their form and converts every row.

All problems are reported at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ptx.data.convert import convert, strip_repeated_prompts
from ptx.data.dataset import DataSet, Source
from ptx.data.derive import DERIVATIONS
from ptx.data.read import Record, Table, find_files, read_table, summarise
from ptx.data.shapes import NAMES, SHAPES, Form, recognise, refine
from ptx.data.turns import RowError
from ptx.errors import ConfigError, Problem, did_you_mean

Columns = Mapping[str, str]


def open_data(
    name: str,
    path: Path,
    *,
    limit: int | None = None,
    columns: Columns | None = None,
    shape: str | None = None,
) -> DataSet:
    """Open a file or folder.

    Args:
        name: what the user calls the data, for messages.
        path: the file or folder.
        limit: the number of rows that are used of each shape; later rows are not read.
        columns: canonical column -> the file's column (``{"prompt": "question"}``).
        shape: the shape that is meant, where the columns fit several.

    Raises:
        ConfigError: with everything that is wrong with the data.
    """
    columns = columns or {}
    wrong = list(_wrong_settings(limit, columns, shape))
    if wrong:
        raise ConfigError(wrong)
    files = find_files(path, SHAPES)
    sources: list[Source] = []
    problems: list[Problem] = []
    if len(files) > 1 or "" not in files:
        files = {wanted: files[wanted] for wanted in files if shape in (None, wanted)} or files
    for wanted, found in files.items():
        try:
            sources.append(_open(read_table(found, limit), columns, wanted, shape))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return DataSet(name, path, _by_shape(sources), limit)


def _wrong_settings(limit: int | None, columns: Columns, shape: str | None) -> Iterable[Problem]:
    if limit is not None and limit < 1:
        yield Problem(f"data.limit must be at least 1, got {limit}", "try data.limit=100, or leave it out")
    if shape is not None and shape not in SHAPES:
        yield Problem(f"no shape {shape!r}", f"{did_you_mean(shape, SHAPES)} type data.shape={SHAPES[0]}")
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


def _open(table: Table, columns: Columns, only: str, shape: str | None) -> Source:
    table = _renamed(table, columns, optional=bool(only))
    form = refine(_choose(table, only or shape), table.records[0].row)
    if only and form.shape != only and form.shape not in DERIVATIONS.get(only, {}):
        raise ConfigError(
            Problem(
                f"file {table.name} is called {only} but holds {form.shape} ({form})", f"call it {form.shape}"
            )
        )
    records: list[Record] = []
    faults: list[tuple[str, str, str]] = []
    for record in table.records:
        try:
            records.append(record._replace(row=convert(form, record.row)))
        except RowError as fault:
            faults.append((record.place, str(fault), f"rows of this file are read as {form.shape} ({form})"))
    if faults:
        raise ConfigError(summarise(faults))
    if form.shape == "pairs":
        rows = strip_repeated_prompts([record.row for record in records])
        records = [record._replace(row=row) for record, row in zip(records, rows, strict=True)]
    return Source(table, form, records, only)


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
    return Table(table.name, records, table.note)


def _choose(table: Table, shape: str | None) -> Form:
    forms = recognise(table.columns, shape)
    if len(forms) == 1:
        return forms[0]
    raise ConfigError(_ambiguous(table, forms) if forms else _unknown(table, shape))


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
            f"data.columns.{part}={column}" for part, column in dict.fromkeys(differing)
        )
    return Problem(f"{table.name} can be read as {readings} (columns {', '.join(table.columns)})", fix)


def _unknown(table: Table, shape: str | None) -> Problem:
    present = table.columns
    close = [
        (name, column)
        for column in present
        for name in NAMES
        if name not in present and did_you_mean(column, [name]).startswith("did")
    ]
    if close:
        hint = "did you mean " + " ".join(f"data.columns.{name}={column}" for name, column in close)
    else:
        hint = "name the columns, for example data.columns.prompt=COLUMN data.columns.completion=COLUMN"
    what = f"cannot be read as {shape}" if shape else "fit no shape that ptx knows"
    return Problem(
        f"the columns of {table.name} {what}: {', '.join(present)}", f"{hint} (names: {', '.join(NAMES)})"
    )
