"""The curves of steps that are running now: short enough to send, and new points apart from old ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ptx.report.page.training import FIRST, LARGEST, LEFT_OUT

MOST_POINTS, MOST_METRICS = 400, 12
Points = dict[str, list[list[float]]]  # metric -> [step, value]


class Curves:
    """The curves of one step of a run; when they are too long, every second point is left out."""

    def __init__(self) -> None:
        self.points: Points = {}
        self.fresh: Points = {}
        self._every: dict[str, int] = {}
        self._count: dict[str, int] = {}

    def add(self, step: object, metrics: object) -> None:
        """Add the numbers that a step has logged."""
        if not is_number(step) or not isinstance(metrics, Mapping):
            return
        for name, value in drawable(metrics).items():
            if name not in self.points and len(self.points) >= MOST_METRICS:
                continue
            self._add(name, [float(step), float(f"{value:.6g}")])  # type: ignore[arg-type]

    def _add(self, name: str, point: list[float]) -> None:
        points = self.points.setdefault(name, [])
        count = self._count[name] = self._count.get(name, -1) + 1
        if count % self._every.setdefault(name, 1):
            return
        points.append(point)
        self.fresh.setdefault(name, []).append(point)
        if len(points) > MOST_POINTS:
            del points[1::2]
            self._every[name] *= 2

    def take(self) -> Points:
        """The points that came since the last call."""
        taken, self.fresh = self.fresh, {}
        return taken


def drawable(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The numbers that can be drawn, those that a reader looks at first in front."""
    found = {str(name)[:80]: float(value) for name, value in metrics.items() if is_number(value)}
    shown = {name: value for name, value in found.items() if name not in LEFT_OUT}
    return dict(
        sorted(shown.items(), key=lambda pair: FIRST.index(pair[0]) if pair[0] in FIRST else len(FIRST))
    )


def is_number(value: object) -> bool:
    """Whether a value of a record is a number that can be drawn."""
    return isinstance(value, int | float) and math.isfinite(value) and abs(value) < LARGEST
