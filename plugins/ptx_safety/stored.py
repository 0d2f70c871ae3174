"""Read stored replies: JailbreakBench's JSON of completions, or rows with prompt and response."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ptx_safety.prompts import Prompt, read_table

REPLIES = ("response", "completion", "output", "generation")


def read_stored(file: Path) -> list[tuple[Prompt, str, str]]:
    """(Request, wrapper, reply) of every row.

    A request is harmful unless its column ``harmful`` is false; the wrapper is "" if there is none.

    Raises:
        ValueError: a row has no request or no reply; the text names file and line.
    """
    found = []
    for line, row in read_table(file):
        column = next((name for name in REPLIES if isinstance(row.get(name), str)), None)
        prompt = row.get("prompt", row.get("goal"))
        if column is None or not isinstance(prompt, str):
            raise ValueError(
                f"{file}:{line}: a stored reply needs the columns prompt and {' or '.join(REPLIES)}, got"
                f" {', '.join(row)}"
            )
        found.append((_prompt(row, prompt), str(row.get("wrapper") or ""), str(row[column])))
    if not found:
        raise ValueError(f"{file} holds no rows")
    return found


def _prompt(row: Any, prompt: str) -> Prompt:
    segments = {
        name: str(row[name]) for name in ("category", "language", "domain", "difficulty") if row.get(name)
    }
    return Prompt(prompt, str(row.get("harmful", True)).lower() in ("true", "1"), segments, row.get("target"))
