"""The shop: an environment with two tools, in TRL's contract, for demonstrations and tests alone.

The task is a question about prices or a product. The reward looks at the results of the tools, not at the
text of the answer: it is 1 if the last call that worked gave the right number, and a quarter if some call
worked. So a model has to look up what it cannot know, copy the numbers into the calculator, and call nothing
after that; the quarter is what it learns from while it still makes no right call.
"""

from __future__ import annotations

from typing import Any

#: no price follows from its word; the questions of shop_data.py are about these
PRICES = {
    "pear": 4,
    "plum": 7,
    "fig": 3,
    "lime": 8,
    "melon": 6,
    "grape": 9,
    "peach": 5,
    "apple": 2,
}


class PriceList:
    """A price list and a calculator."""

    def __init__(self) -> None:
        self._answer: str = ""
        self._last: str = ""

    def reset(self, answer: str | None = None, **_: Any) -> None:
        """Begin the task of a row, whose answer is a number."""
        self._answer, self._last = str(answer), ""

    def price(self, item: str) -> int:
        """The price of an item.

        Args:
            item: the item
        """
        found = PRICES[item]
        self._last = str(found)
        return found

    def multiply(self, a: int, b: int) -> int:
        """The product of two numbers.

        Args:
            a: the first number
            b: the second number
        """
        self._last = str(int(a) * int(b))
        return int(a) * int(b)

    def get_reward(self) -> float:
        """1 if the last result is the answer, a quarter for any result, else 0."""
        return 1.0 if self._last == self._answer else 0.25 * bool(self._last)
