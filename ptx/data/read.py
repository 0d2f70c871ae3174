"""Reads files into rows that carry their file and line.

A data choice is a path: a file (.jsonl, .json, .csv, .parquet, .txt) or a folder. A folder whose files are
named by shape (``pairs.jsonl``, ``messages.parquet``, ...) is a *family*. Any other folder stands for its
``train`` file or shards (as downloads from the hub have them: ``data/train-00000-of-00002.parquet``) or for
its only data file. Everything that cannot be read is reported at once, with file and line; no row is skipped
silently.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from ptx.errors import ConfigError, Problem

Row = dict[str, Any]
SUFFIXES = (".jsonl", ".json", ".csv", ".parquet", ".txt")
SEPARATOR = "<|endoftext|>"
SHOWN = 5  # problems of one kind shown per file


class Record(NamedTuple):
    """A row, and the file and line that it comes from."""

    file: str
    line: int
    row: Row

    @property
    def place(self) -> str:
        """The position in words: ``file my.jsonl line 17``; formats without lines count rows."""
        unit = "row" if self.file.endswith((".json", ".parquet")) else "line"
        return f"file {self.file} {unit} {self.line}"


@dataclass(frozen=True)
class Table:
    """The rows of one file (or of the shards of one split)."""

    name: str
    records: list[Record]
    note: str = ""

    @property
    def columns(self) -> list[str]:
        """Every column that a row has, in the order of appearance."""
        return list(dict.fromkeys(column for record in self.records for column in record.row))


class ReadError(ValueError):
    """A fault of a file (line 0) or of one of its lines, and how to correct it."""

    def __init__(self, what: str, line: int = 0, fix: str = "") -> None:
        super().__init__(what)
        self.line = line
        self.fix = fix


def find_files(path: Path, shapes: Iterable[str]) -> dict[str, list[Path]]:
    """Shape -> files of a family; any other path gives a single entry under the empty name.

    Raises:
        ConfigError: when the path holds no data, or more than one choice of it.
    """
    if not path.exists():
        raise ConfigError(Problem(f"there is no file or folder {path}", _nearby(path)))
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise ConfigError(
                Problem(
                    f"cannot read {path.name}: its ending is not one of {', '.join(SUFFIXES)}",
                    "convert it, or rename it",
                )
            )
        return {"": [path]}
    files = [file for file in sorted(path.iterdir()) if _is_data(file)]
    family = _family(path, files, shapes)
    return family or {
        "": _only(path, files or [file for file in sorted(path.glob("data/*")) if _is_data(file)])
    }


def _is_data(file: Path) -> bool:
    metadata = file.name.startswith((".", "dataset_info", "dataset_dict", "state.", "README"))
    return file.is_file() and file.suffix.lower() in SUFFIXES and not metadata


def _nearby(path: Path) -> str:
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist either; type data=./FILE.jsonl"
    beside = [file.name for file in sorted(path.parent.iterdir()) if file.suffix.lower() in SUFFIXES][:8]
    return (
        f"beside it: {', '.join(beside)}"
        if beside
        else f"{path.parent} holds no data file; type data=./FILE.jsonl"
    )


def _family(path: Path, files: list[Path], shapes: Iterable[str]) -> dict[str, list[Path]]:
    known = set(shapes)
    family: dict[str, list[Path]] = {}
    for file in files:
        if file.stem in known:
            family.setdefault(file.stem, []).append(file)
    twice = [
        f"{shape}: {', '.join(file.name for file in found)}"
        for shape, found in family.items()
        if len(found) > 1
    ]
    if twice:
        raise ConfigError(
            Problem(f"folder {path} holds a shape twice ({'; '.join(twice)})", "keep one file of each")
        )
    train = [file.name for file in files if file.stem == "train"]
    if family and train:
        named = ", ".join(file.name for found in family.values() for file in found)
        raise ConfigError(
            Problem(
                f"folder {path} holds files named by shape ({named}) and {train[0]}",
                "rename it by its shape or move it away",
            )
        )
    return family


def _only(path: Path, files: list[Path]) -> list[Path]:
    train = [file for file in files if re.fullmatch(r"train(-\d+-of-\d+)?", file.stem)]
    if len(files) == 1 or (train and (len(train) == 1 or all("-of-" in file.stem for file in train))):
        return train or files
    if not files:
        raise ConfigError(
            Problem(
                f"folder {path} holds no data file ({', '.join(SUFFIXES)})",
                "put one there, or type data=./FILE.jsonl",
            )
        )
    names = ", ".join(file.name for file in files[:8])
    fix = f"type data={path / files[0].name}, or name the files by shape (messages.jsonl, pairs.jsonl, ...)"
    raise ConfigError(Problem(f"folder {path} holds several data files and none called train: {names}", fix))


def read_table(files: list[Path], limit: int | None) -> Table:
    """Read the first ``limit`` rows.

    Raises:
        ConfigError: with every row that cannot be read.
    """
    records: list[Record] = []
    problems: list[Problem] = []
    note = ""
    for file in files:
        room = None if limit is None else limit - len(records)
        if room is not None and room <= 0:
            break
        found, wrong, note = _read(file, room)
        records += found
        problems += wrong
    if not records and not problems:
        problems.append(Problem(f"file {files[0].name} holds no rows", "put at least one row into it"))
    if problems:
        raise ConfigError(problems)
    return Table(
        ", ".join(file.name for file in files[:2]) + (", ..." if len(files) > 2 else ""), records, note
    )


def _read(file: Path, limit: int | None) -> tuple[list[Record], list[Problem], str]:
    records: list[Record] = []
    faults: list[ReadError] = []
    note = ""
    try:
        if file.suffix.lower() == ".txt":
            items, note = _texts(file)
        else:
            items = READERS[file.suffix.lower()](file)
        for item in islice(items, limit):
            if isinstance(item, ReadError):
                faults.append(item)
            elif not item[1]:
                faults.append(ReadError("an empty row, {}", item[0], "fill it or delete it"))
            else:
                records.append(Record(file.name, *item))
    except ReadError as fault:
        faults.append(fault)
    except (csv.Error, OSError) as error:
        faults.append(ReadError(str(error)))
    except UnicodeDecodeError as error:
        faults.append(
            ReadError(f"not UTF-8 at byte {error.start}", fix=f"convert it: iconv -t UTF-8 {file.name}")
        )
    return records, summarise([(_place(file, fault.line), str(fault), fault.fix) for fault in faults]), note


def _place(file: Path, line: int) -> str:
    return Record(file.name, line, {}).place if line else f"file {file.name}"


def summarise(faults: list[tuple[str, str, str]]) -> list[Problem]:
    """Problems for the first few faults (place, what, fix); the last one counts the others."""
    problems = [Problem(f"{place}: {what}", fix) for place, what, fix in faults[:SHOWN]]
    if len(faults) > SHOWN:
        last = problems[-1]
        problems[-1] = Problem(f"{last.what} (and {len(faults) - SHOWN} more rows)", last.fix)
    return problems


Item = tuple[int, Row] | ReadError


def _jsonl(file: Path) -> Iterator[Item]:
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _parsed(line, number)


def _parsed(line: str, number: int) -> Item:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        around = line[max(0, error.pos - 20) : error.pos + 20].strip()
        return ReadError(
            f"not JSON: {error.msg} at column {error.colno}: ...{around}...",
            number,
            "each line must be one {...} object",
        )
    return _object(value, number)


def _object(value: Any, number: int) -> Item:
    if isinstance(value, dict):
        return number, value
    return ReadError(
        f"a {type(value).__name__}, not an object: {str(value)[:40]}", number, 'write {"column": value, ...}'
    )


def _json(file: Path) -> Iterator[Item]:
    text = file.read_text(encoding="utf-8-sig")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        lines = error.msg == "Extra data" and text.lstrip().startswith("{")
        fix = (
            f"it looks like JSON lines: rename it to {file.stem}.jsonl"
            if lines
            else "it must be one list of objects: [{...}, {...}]"
        )
        raise ReadError(
            f"not JSON: {error.msg} at line {error.lineno} column {error.colno}", fix=fix
        ) from None
    rows = value.get("data") if isinstance(value, dict) else value
    if not isinstance(rows, list):
        raise ReadError('neither a list of objects nor {"data": [...]}', fix="write [{...}, {...}]")
    return (_object(row, number) for number, row in enumerate(rows, 1))


def _csv(file: Path) -> Iterator[Item]:
    csv.field_size_limit(2**31 - 1)
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines, strict=True)
        for row in reader:
            if None in row:
                yield ReadError(
                    f"more cells than the {len(reader.fieldnames or ())} columns",
                    reader.line_num,
                    "quote cells that hold commas",
                )
            else:
                yield (
                    reader.line_num,
                    {column: _cell(column, value) for column, value in row.items() if column},
                )


def _cell(column: str, value: str | None) -> Any:
    """The value of a CSV cell: booleans and message lists are written as text there."""
    if value and column in ("label", "harmful") and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if value and re.match(r'\[\s*\{\s*"(role|from|content|value)"', value):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def _parquet(file: Path) -> Iterator[Item]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        content = parquet.ParquetFile(file)
    except pa.ArrowInvalid as error:
        raise ReadError(f"not parquet: {error}", fix="write it again; it may have been cut short") from None
    number = 0
    for batch in content.iter_batches(batch_size=1024):
        for row in batch.to_pylist():
            number += 1
            yield number, row


def _texts(file: Path) -> tuple[Iterator[Item], str]:
    """The rows of plain text, and a note on what separates them.

    Rows end at ``<|endoftext|>`` where the text has one, else at blank lines, else at line ends.
    """
    text = file.read_text(encoding="utf-8-sig")
    for pattern, note in ((re.escape(SEPARATOR), SEPARATOR), (r"\n[ \t\r]*\n", "blank lines")):
        if re.search(pattern, text.strip()):
            return _pieces(text, pattern), f"rows separated by {note}"
    return _pieces(text, r"\n"), "one row per line"


def _pieces(text: str, pattern: str) -> Iterator[Item]:
    start, line = 0, 1
    for end, after in [*(match.span() for match in re.finditer(pattern, text)), (len(text), len(text))]:
        piece = text[start:end]
        if piece.strip():
            blank = piece[: len(piece) - len(piece.lstrip())].count("\n")
            yield line + blank, {"text": piece.strip("\n\r")}
        line += text.count("\n", start, after)
        start = after


READERS: dict[str, Callable[[Path], Iterator[Item]]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}
