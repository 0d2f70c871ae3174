"""Placement of labels: near their points, without covering anything else.

Greedy point-feature labelling (after Christensen, Marks and Shieber 1995, without the annealing). The points
are processed in order of importance. Each label gets the cheapest of some hundred places around its point:
covering another label or a point costs much, covering an error bar less, and distance a little. The result is
deterministic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

DISTANCES = (9, 14, 22, 32, 44, 58, 74, 92, 112, 134)
DIRECTIONS = 16
COVERING_LABEL, COVERING_BAR, OUTSIDE, PER_PIXEL = 50.0, 1.0, 200.0, 0.8


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def shared(self, other: Box) -> float:
        """The area of the overlap, in square pixels."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        tall = min(self.bottom, other.bottom) - max(self.top, other.top)
        return wide * tall if wide > 0 and tall > 0 else 0.0

    def beyond(self, frame: Box) -> float:
        """By how many pixels the box exceeds a frame, summed over the sides."""
        left, right = max(0.0, frame.left - self.left), max(0.0, self.right - frame.right)
        return left + right + max(0.0, frame.top - self.top) + max(0.0, self.bottom - frame.bottom)


@dataclass(frozen=True)
class Label:
    """A label to be placed: its point and its size, in pixels."""

    x: float
    y: float
    width: float
    height: float


def place(labels: Sequence[Label], solid: Sequence[Box], light: Sequence[Box], frame: Box) -> list[Box]:
    """A box per label, in the given order; covering ``solid`` boxes costs more than ``light`` ones."""
    taken = list(solid)
    placed = []
    for label in labels:
        best = _best(label, taken, light, frame)
        placed.append(best)
        taken.append(best)
    return placed


def _best(label: Label, taken: Sequence[Box], light: Sequence[Box], frame: Box) -> Box:
    """The cheapest place; the places come by distance, and farther ones than it costs are not tried."""
    best, least = Box(label.x, label.y, label.x + label.width, label.y + label.height), math.inf
    for distance, box in _places(label):
        if distance * PER_PIXEL >= least:
            break
        cost = distance * PER_PIXEL + _cost(box, taken, light, frame)
        if cost < least:
            best, least = box, cost
    return best


def _cost(box: Box, taken: Sequence[Box], light: Sequence[Box], frame: Box) -> float:
    covered = sum(box.shared(other) for other in taken)
    return (
        COVERING_LABEL * covered
        + COVERING_BAR * sum(box.shared(bar) for bar in light)
        + OUTSIDE * box.beyond(frame)
    )


def _places(label: Label) -> Iterator[tuple[float, Box]]:
    """(Distance, box) of the places around a point, those to its right first.

    The corner or side of a box that faces the point touches a circle around it.
    """
    for distance in DISTANCES:
        for index in range(DIRECTIONS):
            angle = 2 * math.pi * index / DIRECTIONS
            x, y = label.x + distance * math.cos(angle), label.y - distance * math.sin(angle)
            left = x - label.width * (1 - math.cos(angle)) / 2
            top = y - label.height * (1 + math.sin(angle)) / 2
            yield distance, Box(left, top, left + label.width, top + label.height)
