"""Choose a format for each matrix: the fewest bytes at which the predicted KL stays below a target.

This is a multiple-choice knapsack. Taking the upgrade with the most nats per byte until the target is reached
is not enough: the output layer is a fifth of a small model, and where it comes last it overshoots (101 MB for
SmolLM2-135M-Instruct, where 87 MB pass). So it is solved by dynamic programming over a grid of nats, which is
exact up to one grid step per matrix.

The prediction is a second-order one, and matrices rounded together cost more than their sum: on that model
1.6 times as much, at 0.1 and at 0.2 nats. The first package is aimed with that, and each further one with
what was measured. Nothing is learned from the package that was asked for: far from its model the ratio is
another one (aimed with that, the output layer got 8 bits again, 96 MB).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

GRID = 8192  # steps of the grid of nats
ROUNDS = 4  # packages that are aimed
MARGIN = 0.85  # share of the allowed KL that is aimed at
OFF = 1.65  # measured / predicted, before anything is known
CLOSER = 0.6  # and of the aim before, at most
SAFE = 0.2  # the same in the last round: what comes after it has 8 bits everywhere
MOST_OFF = 4.0  # what is believed of a package that is far from its model


@dataclass(frozen=True)
class Price:
    """One format of a matrix: its bytes, and the nats per token that it is predicted to cost."""

    format: str
    bytes: float
    nats: float


Menu = Mapping[str, Sequence[Price]]  # by matrix


def cheapest(menu: Menu, nats: float) -> dict[str, str]:
    """The format of every matrix with a predicted sum of at most ``nats``, or as near to it as there is."""
    near = {name: min(prices, key=lambda one: (one.nats, one.bytes)).format for name, prices in menu.items()}
    if predicted(menu, near) >= nats:
        return near
    least = np.zeros(GRID + 1)  # bytes of the matrices so far, by the grid steps that they may cost
    choices: list[tuple[NDArray[np.intp], list[int]]] = []
    for prices in menu.values():
        costs = [math.ceil(min(price.nats / nats, 2.0) * GRID) for price in prices]
        options = np.full((len(prices), GRID + 1), np.inf)
        for option, cost, price in zip(options, costs, prices, strict=True):
            option[min(cost, GRID + 1) :] = least[: max(GRID + 1 - cost, 0)] + price.bytes
        choices.append((options.argmin(axis=0), costs))
        least = options.min(axis=0)
    if not np.isfinite(least[GRID]):
        return near  # within the target, but not by whole steps
    left, plan = GRID, dict[str, str]()
    for (name, prices), (best, costs) in reversed(list(zip(menu.items(), choices, strict=True))):
        chosen = int(best[left])
        plan[name], left = prices[chosen].format, left - costs[chosen]
    return {name: plan[name] for name in menu}


@dataclass
class Search:
    """Different choices in the order of their bytes, each aimed by what was learned from those before."""

    menu: Menu
    allowed: float  # nats per token
    off: float = field(default=OFF, init=False)  # measured / predicted

    def learn(self, plan: Mapping[str, str], measured: float) -> None:
        """Take in what the package of a plan costs."""
        expected = predicted(self.menu, plan)
        if expected > 0 and math.isfinite(measured):
            self.off = min(max(measured / expected, 1.0), MOST_OFF)

    def plans(self) -> Iterator[dict[str, str]]:
        """The choices; the caller calls :meth:`learn` between them."""
        found: list[dict[str, str]] = []
        aim = math.inf
        for closer in (*[CLOSER] * (ROUNDS - 1), SAFE):
            aim = min(closer * aim, MARGIN * self.allowed / self.off)
            plan = cheapest(self.menu, aim)
            if plan not in found:
                found.append(plan)
                yield plan


def size(menu: Menu, plan: Mapping[str, str]) -> float:
    """The bytes of a choice."""
    return sum(price.bytes for name, prices in menu.items() for price in prices if price.format == plan[name])


def predicted(menu: Menu, plan: Mapping[str, str]) -> float:
    """The nats per token that a choice is predicted to cost."""
    return sum(price.nats for name, prices in menu.items() for price in prices if price.format == plan[name])
