"""Seeded batches of a second kind of data beside the one that a trainer iterates over."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Stream(Generic[Item]):
    """Endless batches of ``size`` out of ``rows``: all rows in a random order, then all in another one, and
    so on.

    A batch follows from the seed and its number alone, so a training that is resumed goes on with the batch
    it had come to, and no other randomness of the trainer is touched.
    """

    def __init__(self, rows: Sequence[Item], size: int, seed: int, name: str) -> None:
        self.rows, self.size, self.seed, self.name = rows, size, seed, name
        self._orders: dict[int, list[int]] = {}

    def batch(self, number: int) -> list[Item]:
        """The batch of this number, from 0 on."""
        places = range(number * self.size, (number + 1) * self.size)
        return [self.rows[self._order(place // len(self.rows))[place % len(self.rows)]] for place in places]

    def _order(self, epoch: int) -> list[int]:
        if epoch not in self._orders:
            if len(self._orders) > 1:
                self._orders.clear()  # a batch lies in two epochs at most unless it is larger than they are
            order = list(range(len(self.rows)))
            # an order, not a secret
            random.Random(f"{self.name} {self.seed} {epoch}").shuffle(order)  # noqa: S311
            self._orders[epoch] = order
        return self._orders[epoch]
