"""Main effects: how much a metric changes with one setting, all other settings the same.

Runs that agree in all other settings are a block. Within each block a value of the setting is compared with
the first value; the effect is the mean of these differences over the blocks, with Student's interval over
them. So a learning rate that was tried with good methods only does not look good by itself. A value that
stands in fewer than three blocks has no interval.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, stdev

from ptx.report.table.frame import Frame
from ptx.report.table.row import Row
from ptx.stats.distributions import t_quantile

FEWEST_BLOCKS = 3
MOST_VALUES = 24


@dataclass(frozen=True)
class Level:
    """One value of a setting: the mean difference from the first value over ``blocks`` blocks."""

    value: str
    effect: float
    low: float
    high: float
    blocks: int


@dataclass(frozen=True)
class Effect:
    """The levels of one setting; the first is the one that the others are compared with."""

    setting: str
    metric: str
    levels: list[Level]


def effects_of(frame: Frame, metric: str) -> list[Effect]:
    """The effects of all settings that vary; a setting without two comparable values has none."""
    rows = [row for row in frame.rows if row.done and not row.baseline and row.metric(metric)]
    names = dict.fromkeys(key for row in rows for key in row.records[0].varied if key != "seed")
    found = [_effect(rows, name, metric) for name in names]
    return [one for one in found if one is not None]


def _effect(rows: list[Row], setting: str, metric: str) -> Effect | None:
    blocks: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
    for row in rows:
        varied = {key: value for key, value in row.records[0].varied.items() if key != "seed"}
        here, one = varied.pop(setting, ""), row.metric(metric)
        if one is not None:
            blocks.setdefault(tuple(sorted(varied.items())), {})[here] = one.value
    counts = Counter(value for block in blocks.values() if len(block) > 1 for value in block)
    values = sorted(counts, key=_order)
    if len(values) < 2 or len(values) > MOST_VALUES:
        return None
    first = max(values, key=lambda value: (counts[value], -values.index(value)))
    levels = [_level(blocks.values(), value, first) for value in values if value != first]
    return Effect(setting, metric, [Level(first, 0.0, 0.0, 0.0, counts[first]), *levels])


def _level(blocks: Iterable[dict[str, float]], value: str, first: str) -> Level:
    gaps = [block[value] - block[first] for block in blocks if value in block and first in block]
    if not gaps:
        return Level(value, math.nan, -math.inf, math.inf, 0)
    if len(gaps) < FEWEST_BLOCKS:
        return Level(value, fmean(gaps), -math.inf, math.inf, len(gaps))
    mean, half = fmean(gaps), t_quantile(0.975, len(gaps) - 1) * stdev(gaps) / math.sqrt(len(gaps))
    return Level(value, mean, mean - half, mean + half, len(gaps))


def _order(value: str) -> tuple[int, float, str]:
    try:
        return 0, float(value), value
    except ValueError:
        return 1, 0.0, value
