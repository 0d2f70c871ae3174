"""Failures, grouped by their cause: a hundred runs that ran out of memory are one line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ptx.report.text.details import Failure

LONGEST, MOST_GROUPS, MOST_RUNS = 1500, 60, 30


def failures_data(failures: Sequence[Failure]) -> list[dict[str, Any]]:
    """One entry per cause, the most frequent first; numbers in a message do not make another cause."""
    groups: dict[tuple[str, str, str], list[Failure]] = {}
    for one in failures:
        groups.setdefault(
            (one.status, re.sub(r"\d[\d.,e+-]*", "#", one.message)[:LONGEST], one.where), []
        ).append(one)
    order = sorted(groups.values(), key=len, reverse=True)
    return [
        {
            "status": same[0].status,
            "message": same[0].message[:LONGEST],
            "where": same[0].where[:400],
            "count": len(same),
            "runs": [f"{one.sweep}/{one.run}"[:200] for one in same[:MOST_RUNS]],
        }
        for same in order[:MOST_GROUPS]
    ]
