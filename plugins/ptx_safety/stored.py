"""Read stored replies: JailbreakBench's JSON of completions, or a set of requests with a column of replies.

The requests are read as :mod:`ptx_safety.prompts` reads them, so a set says the same about its requests with
and without replies. Rows with nothing but a request and a reply are harmful requests, as in JailbreakBench's
completions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx_safety.prompts import Prompt, is_xstest, read_table, reader_of, segments_of

REPLIES = ("response", "completion", "output", "generation", "reply", "target_response")
REQUESTS = ("prompt", "goal", "request")


@dataclass(frozen=True)
class Stored:
    """A stored reply; ``row`` is the whole row, with labels that people gave."""

    prompt: Prompt
    wrapper: str
    reply: str
    row: Mapping[str, Any]
    line: int


def read_stored(file: Path) -> list[Stored]:
    """The replies of every row.

    Raises:
        ValueError: a row has no request or no reply; the text names file and line.
    """
    found = list(_rows(file))
    if not found:
        raise ValueError(f"{file} holds no rows")
    return found


def _rows(file: Path) -> Iterator[Stored]:
    for line, row in read_table(file):
        column = next((name for name in REPLIES if isinstance(row.get(name), str)), None)
        try:
            prompt = _prompt(row, file) if column else None
        except ValueError as error:
            raise ValueError(f"{file}:{line}: {error}") from error
        if column is None or prompt is None:
            raise ValueError(
                f"{file}:{line}: a stored reply needs a request (prompt, or the columns of a known set) and"
                f" {' or '.join(REPLIES)}, got {', '.join(map(str, row))}"
            )
        yield Stored(prompt, str(row.get("wrapper") or ""), str(row[column]), row, line)


def _prompt(row: Mapping[str, Any], file: Path) -> Prompt | None:
    """The request of a row; None if it has none.

    A column ``type`` that is not XSTest's says nothing about harm.
    """
    other_type = "type" in row and not row.get("label") and not is_xstest(row["type"])
    read = reader_of({name: value for name, value in row.items() if name != "type" or not other_type})
    if read is not None:
        return read(row, file)
    text = next(
        (row[name] for name in REQUESTS if isinstance(row.get(name), str) and row[name].strip()), None
    )
    return None if text is None else Prompt(text.strip(), True, segments_of(row), row.get("target"))
