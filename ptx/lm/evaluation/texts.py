"""Split text files into rows: documents if the file separates them, else blocks of whole lines."""

from __future__ import annotations

import functools
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx import ConfigError, Problem
from ptx.data.files import SUFFIXES, stem_of, suffix_of
from ptx.data.read import SEPARATOR, read_table, read_text
from ptx.errors import counted
from ptx.guard.patterns import compile  # noqa: A004 (as in ``re``)
from ptx.stats.items import item_ids, segments_of

#: file names that need the name of their folder to tell texts apart
GENERIC_NAMES = ("test", "valid", "validation", "train", "text", "data")


@dataclass(frozen=True)
class Text:
    """One row; ``item`` is derived from the name of the text and the content of the row."""

    item: str
    text: str
    segments: dict[str, str]

    @property
    def bytes(self) -> int:
        """The number of bytes in UTF-8."""
        return len(self.text.encode())


def name_of(file: str) -> str:
    """The name of a text in metrics: ``tiny_stories``, ``wikitext2_test``."""
    path = Path(file).expanduser().resolve()
    stem = stem_of(path)
    return f"{path.parent.name}_{stem}" if stem in GENERIC_NAMES else stem


def read(
    file: str, *, block: int, separator: str = "", limit: int | None = None, segments: Sequence[str] = ()
) -> list[Text]:
    """The rows of a file.

    In a .txt file the regular expression ``separator`` ends a document, by default ``<|endoftext|>`` if the
    file contains it. Otherwise lines are joined until a row has ``block`` bytes. ``segments`` are the columns
    of other files by which results are split.

    Raises:
        ConfigError: the file cannot be read, or holds no text.
    """
    state = Path(file).expanduser().stat()
    stamp = (state.st_mtime_ns, state.st_size)
    return list(_read(file, stamp, block=block, separator=separator, limit=limit, segments=tuple(segments)))


@functools.lru_cache(maxsize=64)
def _read(
    file: str,
    _stamp: tuple[int, int],
    *,
    block: int,
    separator: str,
    limit: int | None,
    segments: tuple[str, ...],
) -> tuple[Text, ...]:
    """As :func:`read`, kept until the file changes (``_stamp``): every run of a sweep asks again."""
    path = Path(file).expanduser()
    found = _pieces(path, block, separator) if suffix_of(path) == ".txt" else _documents(path, segments)
    kept = list(itertools.islice(((text, parts) for text, parts in found if text.strip()), limit))
    names = item_ids(name_of(file), ([text] for text, _ in kept))
    texts = tuple(Text(name, text, parts) for name, (text, parts) in zip(names, kept, strict=True))
    if not texts:
        raise ConfigError(Problem(f"{file} holds no text", "give a file with text in it"))
    return texts


def amount(files: Sequence[str], **reading: Any) -> str:
    """The amount of text in ``files``, read as :func:`read` does: ``220 texts (80 kB)``."""
    texts = [text for file in files for text in read(file, **reading)]
    return f"{counted(len(texts), 'text')} ({sum(text.bytes for text in texts) / 1000:,.0f} kB)"


def _pieces(path: Path, block: int, separator: str) -> Iterator[tuple[str, dict[str, str]]]:
    whole = read_text(path)
    separator = separator or (re.escape(SEPARATOR) if SEPARATOR in whole else "")
    parts = _between(separator, whole, str(path)) if separator else _blocks(whole, block)
    yield from ((part, {}) for part in parts)


def _between(separator: str, whole: str, where: str) -> list[str]:
    """What lies between the matches of the separator; its groups are no texts."""
    found = [match.span() for match in compile(separator, where=where).finditer(whole)]
    starts, ends = [0, *(end for _, end in found)], [*(start for start, _ in found), len(whole)]
    return [whole[start:end].strip("\n") for start, end in zip(starts, ends, strict=True)]


def _blocks(whole: str, least: int) -> list[str]:
    """Blocks of whole lines with at least ``least`` bytes; a short last block joins the one before it."""
    blocks, block, size = [], "", 0
    for line in whole.splitlines(keepends=True):
        block, size = block + line, size + len(line.encode())
        if size >= least:
            blocks.append(block)
            block, size = "", 0
    if blocks and size < least / 2:
        blocks[-1] += block
    else:
        blocks.append(block)
    return blocks


def _documents(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    table = read_table([path], None)
    if "text" not in table.columns:
        raise ConfigError(
            Problem(
                f"{path} has no column text",
                f"it has {', '.join(table.columns)}; rename the one that holds the text",
            )
        )
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise ConfigError(
            Problem(f"{path} has no column {missing[0]!r} to split by", f"it has {', '.join(table.columns)}")
        )
    yield from (
        (str(record.row.get("text") or ""), segments_of(record.row, columns)) for record in table.records
    )


def problems(
    evaluator: str, texts: Sequence[str], *, block: int, separator: str = "", segments: Sequence[str] = ()
) -> list[Problem]:
    """The problems with the texts of ``eval.EVALUATOR``."""
    found = []
    names = Counter(name_of(file) for file in texts)
    for file in texts:
        path = Path(file).expanduser()
        if not path.is_file():
            found.append(Problem(f"there is no text {file}", f"eval.{evaluator}.texts=[./FILE.txt]"))
        elif suffix_of(path) not in SUFFIXES:
            found.append(
                Problem(
                    f"{file} is none of {', '.join(SUFFIXES)}", "convert it, or rename it if it is plain text"
                )
            )
        elif names[name_of(file)] > 1:
            found.append(
                Problem(f"two texts would both be called {name_of(file)}", "rename one of the files")
            )
        else:
            try:
                read(file, block=block, separator=separator, segments=segments)
            except ConfigError as error:
                found += error.problems
    return found
