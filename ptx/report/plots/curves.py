"""Training curves from the log events of a run, as sparklines."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

from ptx.report.table.labels import printable
from ptx.report.table.records import Record
from ptx.report.table.row import Row

WIDTH, HEIGHT, MARGIN = 180, 40, 4
#: metrics that are drawn, in this order: exact names first, then names that contain the word
WORDS = ("loss", "reward")
MOST = 2
LARGEST = 1e100  # beyond it, the height of a curve overflows
Curve = list[tuple[float, float]]


@dataclass(frozen=True)
class Spark:
    """The curve of one metric of one step; rows that share the step share the curve."""

    number: int
    label: str  # of the first row that has it
    step: str
    metric: str
    seed: str
    first: float
    last: float
    points: int
    shared_by: int  # rows
    svg: str


def sparks_of(rows: Sequence[Row]) -> list[Spark]:
    """Up to two curves (loss and reward) per step that has logged; a shared step is drawn once."""
    found: dict[str, list[Spark]] = {}
    users: dict[str, set[int]] = {}
    for row in rows:
        for record in row.records:
            keys = {str(step.get("name")): str(step.get("key")) for step in record.run.get("steps") or []}
            for step, curves in _logged(record).items():
                key = keys.get(step, f"{record.folder}/{step}")
                users.setdefault(key, set()).add(row.number)
                if key not in found:
                    found[key] = _sparks(row, record, step, curves)
    return [replace(spark, shared_by=len(users[key])) for key, sparks in found.items() for spark in sparks]


def _sparks(row: Row, record: Record, step: str, curves: dict[str, Curve]) -> list[Spark]:
    seed = record.seed if len(row.records) > 1 else ""
    chosen = [(metric, curves[metric]) for metric in _chosen(list(curves)) if len(curves[metric]) > 1]
    return [
        Spark(
            row.number,
            row.label,
            printable(step),
            printable(metric),
            seed,
            curve[0][1],
            curve[-1][1],
            len(curve),
            1,
            _draw(curve, f"{step} {metric}"),
        )
        for metric, curve in chosen
    ]


def _logged(record: Record) -> dict[str, dict[str, Curve]]:
    """Label -> metric -> [(step, value)]; values that are not finite numbers are left out."""
    found: dict[str, dict[str, Curve]] = {}
    for event in record.events():
        if event.get("event") != "log" or not isinstance(event.get("metrics"), dict):
            continue
        for name, value in event["metrics"].items():
            if _drawable(value) and _drawable(event.get("step") or 0):
                curves = found.setdefault(str(event.get("label") or "run"), {})
                curves.setdefault(str(name), []).append((float(event.get("step") or 0), float(value)))
    return found


def _drawable(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and abs(value) < LARGEST


def _chosen(names: Sequence[str]) -> list[str]:
    ranked = [
        name
        for word in WORDS
        for name in sorted(names, key=lambda name: (name != word, len(name), name))
        if _fits(name, word)
    ]
    firsts = [next((name for name in ranked if _fits(name, word)), None) for word in WORDS]
    return [name for name in firsts if name is not None][:MOST]


def _fits(name: str, word: str) -> bool:
    return word in name and "std" not in name and not name.startswith("eval")


def _draw(curve: Curve, title: str) -> str:
    xs, ys = [x for x, _ in curve], [y for _, y in curve]
    left, low, highest = min(xs), min(ys), max(ys)
    wide, tall = (max(xs) - left) or 1.0, (highest - low) or 1.0
    dots = _thinned(
        [
            (
                MARGIN + (x - left) / wide * (WIDTH - 2 * MARGIN),
                HEIGHT - MARGIN - (y - low) / tall * (HEIGHT - 2 * MARGIN),
            )
            for x, y in curve
        ]
    )
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in dots)
    text = escape(
        f"{title}: {ys[0]:.4g} at step {xs[0]:g} to {ys[-1]:.4g} at step {xs[-1]:g}, lowest {low:.4g},"
        f" highest {highest:.4g}"
    )
    end = f'<circle cx="{dots[-1][0]:.1f}" cy="{dots[-1][1]:.1f}" r="2.4"/>'
    return (
        f'<svg class="spark" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{text}</title><polyline'
        f' points="{line}"/>{end}</svg>'
    )


def _thinned(dots: Curve) -> Curve:
    """The first, lowest, highest and last dot of each column of pixels: the line looks the same."""
    kept: Curve = []
    for _, column in itertools.groupby(dots, key=lambda dot: round(dot[0])):
        same = list(enumerate(column))
        ends = {
            0,
            len(same) - 1,
            *(pick(same, key=lambda one: one[1][1])[0] for pick in (min, max)),
        }
        kept += [dot for index, dot in same if index in ends]
    return kept
