"""Recorded replies: a line per item with ``id`` and ``result``, as BFCL writes them.

A result is the text of a reply, or calls that an API has already read: a list of ``{name: arguments}``, the
arguments an object or its JSON text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ptx import ConfigError, Problem
from ptx.lm.evaluation.lines import parsed, records_of
from ptx.models.call_ways import Call, UnreadableCallError
from ptx.models.calls import read_any

Result = str | list[Any]


def read_recorded(path: Path) -> dict[str, Result]:
    """The result of each item by its id.

    Raises:
        ConfigError: the file is missing, cannot be read, or has other columns.
    """
    if not path.is_file():
        raise ConfigError(Problem(f"eval.tools.completions: no file {path}", "name a .jsonl file"))
    records = records_of(path)
    wrong = [
        one for one in records if "id" not in one.row or not isinstance(one.row.get("result"), str | list)
    ]
    if wrong:
        what = f"{wrong[0].place}: a recorded reply must have id and result, got {sorted(wrong[0].row)}"
        raise ConfigError(Problem(what, 'write {"id": "simple_python_0", "result": "[f(a=1)]"}'))
    return {str(one.row["id"]): one.row["result"] for one in records}


def calls_of(result: Result, tools: list[dict[str, Any]]) -> list[Call]:
    """The calls of a recorded result.

    Raises:
        UnreadableCallError: it begins a call that cannot be read.
    """
    if isinstance(result, str):
        return read_any(result, tools)
    found = []
    for one in result:
        name, arguments = next(iter(one.items())) if isinstance(one, dict) and len(one) == 1 else ("", None)
        given = parsed(arguments)
        if not isinstance(given, dict):
            raise UnreadableCallError(f"no call: {one!r}")
        found.append(Call(name, given))
    return found
