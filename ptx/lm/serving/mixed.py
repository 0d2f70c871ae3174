"""Choose a format for each matrix: the fewest bytes at which the predicted KL stays below a target.

Every matrix begins with its smallest format. The upgrade that saves the most nats per byte comes first, until
the sum is below the target. Upgrades of a matrix that are worse than the line between their neighbours are
left out, so the order never needs a step back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: targets of the tries, as shares of the allowed KL: matrices rounded together cost more than their sum
STEPS = (0.5, 0.25, 0.1)


@dataclass(frozen=True)
class Price:
    """One format of a matrix: its bytes, and the nats per token that it is predicted to cost."""

    format: str
    bytes: float
    nats: float


Menu = Mapping[str, Sequence[Price]]  # by matrix


def cheapest(menu: Menu, nats: float) -> dict[str, str]:
    """The format of every matrix with a predicted sum of at most ``nats``, or as near to it as there is."""
    lines = {name: _convex(prices) for name, prices in menu.items()}
    chosen = dict.fromkeys(lines, 0)
    total = sum(prices[0].nats for prices in lines.values())
    upgrades = sorted(
        (_slope(prices[place], prices[place + 1]), name, place)
        for name, prices in lines.items()
        for place in range(len(prices) - 1)
    )
    for _, name, place in upgrades:
        if total <= nats:
            break
        total += lines[name][place + 1].nats - lines[name][place].nats
        chosen[name] = place + 1
    return {name: lines[name][place].format for name, place in chosen.items()}


def plans(menu: Menu, allowed: float) -> list[dict[str, str]]:
    """Different choices in the order of their bytes, for tighter targets below ``allowed`` nats."""
    found: list[dict[str, str]] = []
    for share in STEPS:
        plan = cheapest(menu, share * allowed)
        if plan not in found:
            found.append(plan)
    return found


def size(menu: Menu, plan: Mapping[str, str]) -> float:
    """The bytes of a choice."""
    return sum(price.bytes for name, prices in menu.items() for price in prices if price.format == plan[name])


def predicted(menu: Menu, plan: Mapping[str, str]) -> float:
    """The nats per token that a choice is predicted to cost."""
    return sum(price.nats for name, prices in menu.items() for price in prices if price.format == plan[name])


def _slope(one: Price, other: Price) -> float:
    """The change in nats per further byte; the steepest descent is the smallest number."""
    return (other.nats - one.nats) / max(other.bytes - one.bytes, 1.0)


def _convex(prices: Sequence[Price]) -> list[Price]:
    """The formats of one matrix that are worth their bytes, smallest first, with falling returns."""
    line: list[Price] = []
    least = math.inf
    for price in sorted(prices, key=lambda one: (one.bytes, one.nats)):
        if price.nats >= least:
            continue
        while len(line) > 1 and _slope(line[-1], price) <= _slope(line[-2], line[-1]):
            line.pop()
        line.append(price)
        least = price.nats
    return line
