"""Rows that stand in a training file and in the test file beside it: what is measured on them was learnt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ptx.data.dataset import DataSet, Source
from ptx.data.files import SUFFIXES, stem_of, suffix_of
from ptx.data.read import read_table
from ptx.data.records import Record, Row, finding
from ptx.errors import ConfigError, Problem

#: names of the files that are kept for measuring
KEPT = ("test", "valid", "validation", "dev", "eval", "heldout")


def overlaps(data: DataSet, shape: str) -> list[Problem]:
    """A note for each file beside that of ``shape`` that has rows of it."""
    source = data.sources[shape]
    found: list[Problem] = data.once("overlaps", source.form.shape, lambda: [*_overlaps(source)])
    return found


def _overlaps(source: Source) -> Iterator[Problem]:
    return (note for file in _beside(source) for note in _shared(source, file))


def _beside(source: Source) -> list[Path]:
    path = source.table.path
    if path is None or stem_of(path) in KEPT:
        return []
    return [file for file in sorted(path.parent.iterdir()) if _measures(file, stem_of(path)) and file != path]


def _measures(file: Path, stem: str) -> bool:
    """Whether a file is kept for measuring what ``stem`` teaches: ``test``, or ``my_test`` for ``my``."""
    base = stem.removesuffix("train").rstrip("_-.")
    words = stem_of(file).removeprefix(base).strip("_-.").split("-")
    return words[0] in KEPT and suffix_of(file) in SUFFIXES and suffix_of(file) != ".txt"


def _shared(source: Source, file: Path) -> Iterator[Problem]:
    try:
        table = read_table([file], None)
    except ConfigError:
        return  # it is not what is checked here
    asked = {_asked(source, record.row) for record in source.table.records} - {None}
    both: list[Record] = [record for record in table.records if _asked(source, record.row) in asked]
    if both:
        what = f"asks what a row of {source.table.name} asks, so a test on it measures memory"
        yield finding("in-test-file", both, what, len(table.records))


def _asked(source: Source, row: Row) -> Any:
    """What a row asks, as a value to compare; None where it has not the columns of the source."""
    parts = source.form.parts
    names = [parts[part] for part in ("prompt", "context") if part in parts] or list(parts.values())
    if not set(names[:1]) <= set(row):
        return None
    values = [row.get(name) for name in names]
    if "messages" in parts and isinstance(values[0], list):
        values = values[0][:-1]
    return hash(repr(values))
