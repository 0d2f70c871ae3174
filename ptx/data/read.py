"""Reads files into rows that carry their file and line.

One reader for everything that takes data: ``ptx check``, the plan, calibration, evaluation texts. The format
follows from the file's ending, and where endings are used loosely (JSON, separators, encodings, compression)
from the content. What was found is said in the description of the data. Everything that cannot be read is
reported at once, one finding for each kind; no row is skipped silently.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TextIO, TypeVar

from ptx.data.bad import BadRows
from ptx.data.delimited import dialect, read_cells
from ptx.data.encoding import UTF8, Encoding, first_guess, open_bytes, open_text, second_guess
from ptx.data.files import suffix_of
from ptx.data.jsons import read_json
from ptx.data.records import Fault, ReadError, Record, Row, Table, findings
from ptx.data.values import clean, unfilled
from ptx.errors import ConfigError, Problem

__all__ = ["SEPARATOR", "ReadError", "Record", "Row", "Table", "read_records", "read_table", "read_text"]

SEPARATOR = "<|endoftext|>"
Item = tuple[int, Row] | ReadError
T = TypeVar("T")


class Found(NamedTuple):
    """The rows of a file as they are read, the unit of their numbers, and notes on how they were read."""

    items: Iterator[Item]
    unit: str = "line"
    notes: tuple[str, ...] = ()


def read_table(files: list[Path], limit: int | None, bad: BadRows | None = None) -> Table:
    """Read the first ``limit`` rows; those that cannot be read count too.

    Raises:
        ConfigError: with every kind of fault of the rows that cannot be read.
    """
    records: list[Record] = []
    faults: list[Fault] = []
    notes: list[str] = []
    for file in files:
        room = None if limit is None else limit - len(records)
        if room is not None and room <= 0:
            break
        found, wrong, said = _read(file, room)
        records += found
        faults += wrong
        notes += said
    records = (bad or BadRows()).sift(records, faults, len(records) + len(faults))
    if not records:
        raise ConfigError(Problem(f"file {files[0].name} holds no rows", "put at least one row into it"))
    name = ", ".join(file.name for file in files[:2]) + (", ..." if len(files) > 2 else "")
    return Table(name, records, "; ".join(dict.fromkeys(notes)), files[0])


def read_records(file: Path) -> tuple[list[Record], list[Fault]]:
    """The rows of a file, and what is wrong with those that cannot be read."""
    records, faults, _ = _read(file, None)
    return records, faults


def read_text(file: Path) -> str:
    """The whole text of a file, decompressed and in the encoding that it has.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return _decoded(file, first_guess(file), lambda stream: stream.read())[0].replace("\r\n", "\n")
    except (ReadError, OSError, EOFError, UnicodeError) as error:
        raise ConfigError(findings([_fault_of_file(file, error)])) from None


Read = tuple[list[Record], list[Fault], tuple[str, ...]]


def _read(file: Path, limit: int | None) -> Read:
    """The rows of a file, its faults, and notes on how it was read."""
    try:
        if suffix_of(file) in BINARY:
            return _collect(file, Found(BINARY[suffix_of(file)](file), "row"), limit)
        read = TEXTUAL[suffix_of(file)]
        found, note = _decoded(file, first_guess(file), lambda stream: _collect(file, read(stream), limit))
        return found[0], found[1], (*found[2], *([note] if note else []))
    except (ReadError, OSError, EOFError, UnicodeError) as error:
        return [], [_fault_of_file(file, error)], ()


def _fault_of_file(file: Path, error: Exception) -> Fault:
    """What is wrong with a file as a whole; the one place that puts the errors of libraries into words."""
    if isinstance(error, ReadError):
        return Fault(Record(file.name, error.line, {}), str(error), error.fix, whole=True)
    if isinstance(error, EOFError):
        what, fix = "it ends before its content does", "copy or download it again"
    elif isinstance(error, PermissionError):
        what, fix = "you may not read it", f"chmod u+r {file}"
    else:
        what, fix = getattr(error, "strerror", None) or str(error), "copy or download it again"
    return Fault(Record(file.name, 0, {}), f"cannot be read: {what}", fix, whole=True)


def _decoded(file: Path, encoding: Encoding, read: Callable[[TextIO], T]) -> tuple[T, str]:
    """What ``read`` makes of the text, and how the encoding is said; what is not UTF-8 is read again."""
    try:
        with open_text(file, encoding) as stream:
            return read(stream), encoding.note
    except UnicodeDecodeError as error:
        if encoding.codec not in (UTF8.codec, "utf-8-sig"):
            what = f"not {encoding.note or 'UTF-8'}, as it begins: {error.reason}"
            raise ReadError(what, fix="save it as UTF-8; it may have been cut short") from None
    encoding = second_guess(file)
    with open_text(file, encoding) as stream:
        return read(stream), encoding.note


def _collect(file: Path, found: Found, limit: int | None) -> Read:
    records: list[Record] = []
    faults: list[Fault] = []
    for item in islice(_until_refused(found.items), limit):
        record = _checked(file, item, found.unit)
        if isinstance(record, Fault):
            faults.append(record)
        else:
            records.append(record)
    return records, faults, found.notes


def _until_refused(items: Iterator[Item]) -> Iterator[Item]:
    """The items; an error behind which nothing more can be read is the last one."""
    try:
        yield from items
    except ReadError as fault:
        fault.whole = True
        yield fault


def _checked(file: Path, item: Item, unit: str) -> Record | Fault:
    """A row with plain values, or what is wrong with it."""
    if isinstance(item, ReadError):
        return Fault(Record(file.name, item.line, {}, unit), str(item), item.fix, item.whole)
    number, row = item
    place = Record(file.name, number, {}, unit)
    if not row:
        return Fault(place, "an empty row", "fill it or delete it")
    try:
        return place._replace(row=clean(row))
    except ReadError as error:
        return Fault(place, str(error), error.fix)
    except RecursionError:
        return Fault(place, "its values are nested too deeply", "write flat values")


def _json(stream: TextIO) -> Found:
    return Found(*read_json(stream))


def _cells(stream: TextIO) -> Found:
    text = _seekable(stream)
    separator, spaced, said = dialect(text)
    return Found(read_cells(text, separator, spaced), notes=(f"separated by {said}s",) if said else ())


def _seekable(stream: TextIO) -> TextIO:
    """The stream itself, or its text in memory where it cannot be read from its start again."""
    return stream if stream.seekable() else io.StringIO(stream.read(), newline="")


def _texts(stream: TextIO) -> Found:
    """Plain text.

    Rows end at ``<|endoftext|>`` where the text has one, else at blank lines, else at line ends.
    """
    text = stream.read().replace("\r\n", "\n").replace("\r", "\n")
    for pattern, note in ((re.escape(SEPARATOR), SEPARATOR), (r"\n[ \t]*\n", "blank lines")):
        if re.search(pattern, text.strip()):
            return Found(_pieces(text, pattern), notes=(f"rows separated by {note}",))
    return Found(_pieces(text, r"\n"), notes=("one row per line",))


def _pieces(text: str, pattern: str) -> Iterator[Item]:
    start, line = 0, 1
    for end, after in [*(match.span() for match in re.finditer(pattern, text)), (len(text), len(text))]:
        piece = text[start:end]
        if piece.strip():
            blank = piece[: len(piece) - len(piece.lstrip())].count("\n")
            yield line + blank, {"text": piece.strip("\n\r")}
        line += text.count("\n", start, after)
        start = after


def _parquet(file: Path) -> Iterator[Item]:
    from pyarrow import parquet

    yield from _arrow_rows(lambda: parquet.ParquetFile(file).iter_batches(batch_size=1024), "parquet")


def _arrow(file: Path) -> Iterator[Item]:
    """Arrow's file format, or its stream format (as ``datasets`` writes it)."""
    import pyarrow as pa

    def batches() -> Iterator[Any]:
        content = open_bytes(file).read()
        try:
            reader = pa.ipc.open_file(pa.BufferReader(content))
            return (reader.get_batch(number) for number in range(reader.num_record_batches))
        except pa.ArrowInvalid:
            return iter(pa.ipc.open_stream(pa.BufferReader(content)))

    yield from _arrow_rows(batches, "Arrow data")


def _arrow_rows(batches: Callable[[], Iterator[Any]], what: str) -> Iterator[Item]:
    """The rows of record batches."""
    import pyarrow as pa

    number = 0
    try:
        for batch in batches():
            for row in batch.to_pylist():
                number += 1
                yield number, unfilled(row)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        said = str(error).partition("\n")[0]
        raise ReadError(f"not {what}: {said}", fix="write it again; it may have been cut short") from None


TEXTUAL: dict[str, Callable[[TextIO], Found]] = {
    ".jsonl": _json,
    ".ndjson": _json,
    ".json": _json,
    ".csv": _cells,
    ".tsv": _cells,
    ".txt": _texts,
}
BINARY: dict[str, Callable[[Path], Iterator[Item]]] = {
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".feather": _arrow,
}
