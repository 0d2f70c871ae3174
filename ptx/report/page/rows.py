"""The table of the page: rows, settings, metrics, their values, and the comparisons with the reference."""

from __future__ import annotations

import math
from typing import Any

from ptx.report.decision.leaders import ranked, times_apart
from ptx.report.formats.view import RATIOS, View
from ptx.report.page.packed import coded, packed
from ptx.report.table.compare import difference_of, indistinguishable, is_time
from ptx.report.table.metric_names import column_head, short_name
from ptx.report.table.row import RATIO, Row
from ptx.report.text.warning import emulated
from ptx.stats.pareto import Place

HOW = {"paired": "p", "turns": "t", "unpaired": "u", "exact": "x"}
SHAPES = 7  # as many as the page's charts.js has
MOST_FOR_BEST = 400  # rows among which the best of every column is looked for


def rows_data(view: View, places: dict[int, Place]) -> dict[str, Any]:
    """The rows, column by column."""
    rows = view.frame.rows
    number = {row.number: place for place, row in enumerate(rows)}
    found = [places.get(row.number) for row in rows]
    return {
        "label": [row.label for row in rows],
        "full": {str(i): row.full_label for i, row in enumerate(rows) if row.full_label != row.label},
        "status": coded([row.status for row in rows]),
        "base": [i for i, row in enumerate(rows) if row.baseline],
        "ref": packed(number[row.reference.number] if row.reference else None for row in rows),
        "seeds": {
            str(i): [len(row.done), len(row.records)] for i, row in enumerate(rows) if len(row.records) > 1
        },
        "standing": coded([place.standing if place else "missing" for place in found]),
        "by": packed(number[place.by] if place and place.by is not None else None for place in found),
        "emulated": {str(i): why for i, row in enumerate(rows) if (why := emulated(row))},
        "method": coded([_setting(row, "method") or _setting(row, "recipe") for row in rows]),
        "compression": coded(_drawn([_compression(row) for row in rows], found)),
    }


def _setting(row: Row, name: str) -> str:
    if row.baseline:
        return "baseline"
    config = row.records[0].run.get("config") or {}
    given = row.records[0].varied.get(name) or config.get(name)
    choice = given.get("choice") if isinstance(given, dict) else given
    return str(choice or "").removeprefix(f"{name}=")[:60] if not isinstance(choice, list | dict) else ""


def _compression(row: Row) -> str:
    """The names of a row's compressors, in order."""
    steps = row.done[0].result.get("steps") if row.done else row.records[0].run.get("steps")
    names = [str(step.get("name")) for step in steps or [] if step.get("kind") == "compress"]
    varied = row.records[0].varied.get("compress", "").strip("[]").replace(",", " + ")
    return (" + ".join(names) or varied)[:60] or "none"


def _drawn(names: list[str], places: list[Place | None]) -> list[str]:
    """The compressions by which points differ in shape; with more than there are shapes, some are "others".

    Those on the front have a shape of their own first, then those near it.
    """
    if len(set(names)) <= SHAPES:
        return names
    pairs = list(zip(names, places, strict=True))
    kept = ["none"] * ("none" in names)
    for standing in ("front", "near", None):
        kept += [name for name, place in pairs if standing is None or (place and place.standing == standing)]
    own = {*list(dict.fromkeys(kept))[: SHAPES - 1]}
    return [name if name in own else "others" for name in names]


def settings_data(view: View) -> list[dict[str, Any]]:
    """The varied settings: a column each."""
    rows = view.frame.rows
    names = dict.fromkeys(key for row in rows for key in row.records[0].varied if key != "seed")
    return [
        {"name": name} | coded([row.records[0].varied.get(name, "") for row in rows])
        for name in list(names)[:40]
    ]


def metrics_data(view: View) -> list[dict[str, Any]]:
    """The metrics over all items: how each is written, its values, and its comparisons."""
    return [_metric(view, name) for name in view.frame.names]


def _metric(view: View, name: str) -> dict[str, Any]:
    frame, scale = view.frame, view.scales[name]
    group, title = column_head(name)
    found = [row.metrics.get((name, "")) for row in frame.rows]
    sample = frame.sample(name)
    ends = [(one.value, one.low, one.high) if one else (math.nan,) * 3 for one in found]
    values, lows, highs = zip(*ends, strict=True)
    head: dict[str, Any] = {
        "name": name,
        "group": group,
        "title": title,
        "short": short_name(name),
        "better": sample.better,
    }
    head |= {"unit": scale.suffix, "factor": scale.factor, "decimals": scale.decimals}
    head |= {"v": packed(values), "lo": packed(lows), "hi": packed(highs)}
    counts = [one.n if one else None for one in found]
    head["n"] = counts[0] if len(set(counts)) == 1 and counts[0] is not None else packed(counts)
    notes = {str(i): one.note for i, one in enumerate(found) if one and one.note}
    words = RATIOS.get(name)
    best = _best(view, name) if name in frame.columns and len(frame.rows) <= MOST_FOR_BEST else None
    head |= {"kind": "ratio" if name == RATIO else "time" if is_time(name) else ""}
    head |= {} if best is None else {"best": best}
    compared = _compared(view, name)
    return head | ({"notes": notes} if notes else {}) | ({"words": words} if words else {}) | compared


def _best(view: View, name: str) -> int | None:
    """The row that is measurably the best of a column; None if luck may have chosen it."""
    order = ranked(view.frame, name)
    if len(order) < 2 or (is_time(name) and times_apart(view.frame)):
        return None
    row = order[0][0]
    found = indistinguishable(view.frame, row, name)
    compared = sum(difference_of(other, row, (name, "")) is not None for other, _ in order[1:])
    sure = compared == len(order) - 1 and not found["same"] and not found["too few"]
    return row.number - 1 if sure else None


def _compared(view: View, name: str) -> dict[str, Any]:
    """The differences from each row's reference; empty where nothing can be compared."""
    found = [view.comparisons.get((row.number, name, "")) for row in view.frame.rows]
    if not any(found):
        return {}
    gaps = [one.difference if one else None for one in found]
    return {
        "d": packed((gap.value if gap else None for gap in gaps), 4),
        "dlo": packed((gap.low if gap else None for gap in gaps), 4),
        "dhi": packed((gap.high if gap else None for gap in gaps), 4),
        "p": packed((gap.p if gap else None for gap in gaps), 2),
        "mark": "".join(one.mark if one else "." for one in found),
        "how": "".join(HOW[one.how] if one else "." for one in found),
    }
