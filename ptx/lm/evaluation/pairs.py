"""Held-out pairs for evaluators, read and checked by the functions that read what a training learns from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ptx.data import DataSet, check, open_data
from ptx.data.conversations import as_text, as_turns
from ptx.errors import ConfigError, Problem

Row = dict[str, Any]


def pair_problems(where: str, files: Sequence[str], limit: int | None) -> list[Problem]:
    """Files that are missing, cannot be read or hold no pairs; ``where`` is the field that names them."""
    if not files:
        return [Problem(f"{where} is empty: held-out pairs are needed", f"try {where}=[./heldout.jsonl]")]
    found: list[Problem] = []
    for name in files:
        if not Path(name).expanduser().exists():
            found.append(Problem(f"{where}: no file or folder {name}", "name a .jsonl file of pairs"))
            continue
        try:
            found += check(_opened(where, name, limit), "pairs")[0]
        except ConfigError as error:
            found += error.problems
    return found


def read_pairs(where: str, files: Sequence[str], limit: int | None) -> list[Row]:
    """The pairs of all files: ``prompt`` as turns, both answers as texts, beside the other columns."""
    return [_row(row) for name in files for row in _opened(where, name, limit).rows("pairs")]


def _row(row: Row) -> Row:
    turns = as_turns("pairs", row)
    answers = {side: as_text(turns[side]) for side in ("chosen", "rejected")}
    return {**row, "prompt": turns["prompt"], **answers}


def _opened(where: str, name: str, limit: int | None) -> DataSet:
    found = open_data(name, Path(name).expanduser(), limit=limit)
    found.require(("pairs",), where)
    return found
