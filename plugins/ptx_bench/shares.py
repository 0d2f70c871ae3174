"""The seconds of an item where requests are answered in batches.

Each request gets an equal share of its batch's time; an item's time is the sum of its requests' shares.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Sequence
from typing import Any


class Shares:
    """Seconds by request; of a request that was answered several times, their mean."""

    def __init__(self) -> None:
        self.seconds: dict[Hashable, tuple[float, int]] = {}

    def add(self, requests: Sequence[Sequence[Any]], seconds: float) -> None:
        """Record that ``requests`` took ``seconds`` together.

        A request is given as lm-eval's arguments, such as (context, continuation).
        """
        for request in requests:
            total, times = self.seconds.get(key_of(request), (0.0, 0))
            self.seconds[key_of(request)] = total + seconds / len(requests), times + 1

    def of(self, requests: Iterable[Sequence[Any]]) -> float | None:
        """Seconds of an item's requests together; None if one of them was never timed."""
        found = [self.seconds.get(key_of(request)) for request in requests]
        return sum(one[0] / one[1] for one in found if one) if found and all(found) else None


def key_of(request: Sequence[Any]) -> Hashable:
    """A request, given as lm-eval's arguments, as a key of a dictionary."""
    return tuple(
        part if isinstance(part, str) else json.dumps(part, sort_keys=True, default=str) for part in request
    )
