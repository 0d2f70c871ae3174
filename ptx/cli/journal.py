"""The events of one run, read as its file grows: each call gives the lines that came since the last one."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any


class Journal:
    """An ``events.jsonl`` and how far it was read.

    A line without its end is still being written and is read when it is whole. A line that a crash has cut,
    or that is no event, is passed over. A file that became shorter belongs to a record that was begun anew.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.position = path, 0

    def new(self) -> list[dict[str, Any]]:
        """The events since the last call, in their order."""
        try:
            found = self.path.stat()
            if not stat.S_ISREG(found.st_mode) or found.st_size == self.position:
                return []
            if found.st_size < self.position:
                self.position = 0
            with self.path.open("rb") as file:
                file.seek(self.position)
                whole = file.read().rpartition(b"\n")[0]
        except OSError:  # not begun, or deleted while it was read
            return []
        self.position += len(whole) + 1 if whole else 0
        return [event for line in whole.splitlines() if (event := _parsed(line))]


def _parsed(line: bytes) -> dict[str, Any]:
    """The event of a line; empty for what is none."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}
