"""Held-out rows of a shape for evaluators, read and checked as the data of a training is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ptx.data import DataSet, check, open_data
from ptx.errors import ConfigError, Problem

Row = dict[str, Any]


def row_problems(shape: str, where: str, files: Sequence[str], limit: int | None) -> list[Problem]:
    """Files that are missing, cannot be read or hold no such rows; ``where`` is the field that names them."""
    if not files:
        return [Problem(f"{where} is empty: held-out {shape} are needed", f"try {where}=[./heldout.jsonl]")]
    found: list[Problem] = []
    for name in files:
        if not Path(name).expanduser().exists():
            found.append(Problem(f"{where}: no file or folder {name}", f"name a .jsonl file of {shape}"))
            continue
        try:
            found += check(_opened(shape, where, name, limit), shape)[0]
        except ConfigError as error:
            found += error.problems
    return found


def read_rows(shape: str, where: str, files: Sequence[str], limit: int | None) -> list[Row]:
    """The canonical rows of all files, beside their other columns."""
    return [row for name in files for row in _opened(shape, where, name, limit).rows(shape)]


def _opened(shape: str, where: str, name: str, limit: int | None) -> DataSet:
    found = open_data(name, Path(name).expanduser(), limit=limit)
    found.require((shape,), where)
    return found
