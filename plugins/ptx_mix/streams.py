"""Seeded batches of additional data, beside the data set that the trainer iterates over."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Stream(Generic[Item]):
    """Endless batches of ``size`` rows: every epoch holds all rows in a random order of its own.

    A batch follows from the name, the seed and the batch's number alone. So a resumed training continues with
    the batch that was next, and the trainer's own random numbers are not affected.
    """

    def __init__(self, rows: Sequence[Item], size: int, seed: int, name: str) -> None:
        self.rows, self.size, self.seed, self.name = rows, size, seed, name
        self._orders: dict[int, list[int]] = {}

    def batch(self, number: int) -> list[Item]:
        """The batch of this number, from 0 on."""
        places = range(number * self.size, (number + 1) * self.size)
        return [self.rows[self._order(place // len(self.rows))[place % len(self.rows)]] for place in places]

    def drawn(self, batches: int) -> set[int]:
        """The places of the rows in the first ``batches`` batches."""
        places = range(batches * self.size)
        return {self._order(place // len(self.rows))[place % len(self.rows)] for place in places}

    def _order(self, epoch: int) -> list[int]:
        if epoch not in self._orders:
            if len(self._orders) > 1:
                self._orders.clear()  # a batch touches two epochs at most, unless it is larger than an epoch
            order = list(range(len(self.rows)))
            # an order, not a secret
            random.Random(f"{self.name} {self.seed} {epoch}").shuffle(order)  # noqa: S311
            self._orders[epoch] = order
        return self._orders[epoch]
