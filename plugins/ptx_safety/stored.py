"""Read stored replies: JailbreakBench's JSON of completions, or a set of requests with a column of replies.

The requests are read as :mod:`ptx_safety.prompts` reads them, so a set says the same about its requests with
and without replies. Rows with nothing but a request and a reply are harmful requests, as in JailbreakBench's
completions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx.data.rows import Record, made_of
from ptx_safety.prompts import Prompt, is_xstest, reader_of, segments_of

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
        ConfigError: a row has no request or no reply; by file and line.
        OSError: there is no such file.
    """
    return made_of(file, lambda record: _stored(record, file))


def _stored(record: Record, file: Path) -> Stored:
    row = record.row
    column = next((name for name in REPLIES if isinstance(row.get(name), str)), None)
    prompt = _prompt(row, file) if column else None
    if column is None or prompt is None:
        raise ValueError(
            "a stored reply needs a request (prompt, or the columns of a known set) and"
            f" {' or '.join(REPLIES)}, got {', '.join(map(str, row))}"
        )
    return Stored(prompt, str(row.get("wrapper") or ""), str(row[column]), row, record.line)


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
