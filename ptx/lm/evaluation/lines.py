"""Files with one JSON object in each line, whatever their ending, and tools and calls in their columns.

BFCL calls them ``.json``.

A file of one line is JSON too, and the reader of training data would look inside the object for its rows.
"""

from __future__ import annotations

import json
from pathlib import Path

from ptx.data.read import read_records, read_text
from ptx.data.records import Record, findings
from ptx.data.tools import RowError, parsed, tool_calls, tool_definitions
from ptx.errors import ConfigError

__all__ = ["Record", "RowError", "parsed", "records_of", "tool_calls", "tool_definitions"]

MARKS = ({"question", "function"}, {"id", "ground_truth"}, {"id", "result"})


def records_of(path: Path) -> list[Record]:
    """The rows of a file.

    Raises:
        ConfigError: with what is wrong in rows that cannot be read.
    """
    if path.suffix == ".json" and (text := read_text(path).strip()) and "\n" not in text:
        try:
            row = json.loads(text)
        except ValueError:
            row = None
        if isinstance(row, dict) and any(names <= set(row) for names in MARKS):
            return [Record(path.name, 1, row)]
    records, faults = read_records(path)
    if faults:
        raise ConfigError(findings(faults))
    return records
