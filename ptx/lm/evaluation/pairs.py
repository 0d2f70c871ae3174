"""Held-out pairs for evaluators: their prompts as turns, their answers as texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ptx.data.conversations import as_text, as_turns
from ptx.errors import Problem
from ptx.lm.evaluation.rows import read_rows, row_problems

Row = dict[str, Any]


def pair_problems(where: str, files: Sequence[str], limit: int | None) -> list[Problem]:
    """Files that are missing, cannot be read or hold no pairs; ``where`` is the field that names them."""
    return row_problems("pairs", where, files, limit)


def read_pairs(where: str, files: Sequence[str], limit: int | None) -> list[Row]:
    """The pairs of all files: ``prompt`` as turns, both answers as texts, beside the other columns."""
    return [_row(row) for row in read_rows("pairs", where, files, limit)]


def _row(row: Row) -> Row:
    turns = as_turns("pairs", row)
    answers = {side: as_text(turns[side]) for side in ("chosen", "rejected")}
    return {**row, "prompt": turns["prompt"], **answers}
