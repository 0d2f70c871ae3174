"""A line of the diagnosis: what was found, how good that is, and what to type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: fine: as it should be; note: a choice or a part of the work is not possible; wrong: results would suffer
Severity = Literal["fine", "note", "wrong"]


@dataclass(frozen=True)
class Line:
    """One thing that was looked at."""

    about: str
    found: str
    severity: Severity = "fine"
    fix: str = ""
