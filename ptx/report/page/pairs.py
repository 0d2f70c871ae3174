"""Comparisons of the finalists with each other, item by item, for a reader who chooses another baseline.

Only what needs the items is computed here: the page itself compares two intervals where no items are shared.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from ptx.report.formats.view import View
from ptx.report.page.packed import packed
from ptx.report.table.compare import difference_of
from ptx.report.table.row import Row

MOST = 12  # rows that are compared with each other


def pairs_data(view: View, rows: Sequence[Row]) -> dict[str, str]:
    """``a,b,metric`` (places in the table) -> difference, low, high, p, n of a minus b."""
    place = {row.number: index for index, row in enumerate(view.frame.rows)}
    index = {name: number for number, name in enumerate(view.frame.names)}
    found: dict[str, Any] = {}
    for a, b in itertools.combinations(rows[:MOST], 2):
        for name in view.frame.columns:
            if not a.scores((name, "")) or not b.scores((name, "")):
                continue
            one = difference_of(a, b, (name, ""))
            if one is not None and one.how == "paired":
                gap = one.difference
                key = f"{place[a.number]},{place[b.number]},{index[name]}"
                found[key] = packed((gap.value, gap.low, gap.high, gap.p, gap.n), 5)
    return found
