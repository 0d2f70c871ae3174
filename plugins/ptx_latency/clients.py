"""One turn of requests: a single one, or load from several clients that each send one after another and wait
for each answer.

This is a closed loop: as many requests are under way as there are clients, so that a slower model is not
asked more than it can answer, and the time of a request includes what it waited for the others. Who does the
waiting depends on the runtime: an engine that batches requests as they come (``lm.time_clients``) decides for
itself; a model that several threads may use (``lm.concurrent``) is used by all clients at once; any other
answers one request at a time, first come, first served.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Ask = Callable[
    [], tuple[float, float]
]  # sends a request: seconds to its first token, and from there to its last
Served = tuple[
    float, float, float
]  # seconds in the queue, to the first token (the queue included), from there to the last


def turn_of(lm: Any, ask: Ask, spec: dict[str, Any]) -> tuple[list[Served], float]:
    """The requests of one turn, and how long it took."""
    clients, each = spec["concurrency"], spec["per_client"]
    if clients == 1:
        first, rest = ask()
        return [(0.0, first, rest)], first + rest
    started = time.perf_counter()
    if hasattr(lm, "time_clients"):
        served = [
            (0.0, first, rest)
            for first, rest in lm.time_clients(spec["prompt_tokens"], spec["new_tokens"], clients, each)
        ]
    else:
        served = by_threads(ask, clients, each, at_once=clients if getattr(lm, "concurrent", False) else 1)
    return served, time.perf_counter() - started


def by_threads(ask: Ask, clients: int, each: int, *, at_once: int) -> list[Served]:
    """A thread per client; ``at_once`` requests are answered at a time, the others wait in the order they
    came.
    """
    together = threading.Barrier(clients)
    with ThreadPoolExecutor(at_once) as server, ThreadPoolExecutor(clients) as people:

        def answer(sent: float) -> Served:
            waited = time.perf_counter() - sent
            first, rest = ask()
            return waited, waited + first, rest

        def client() -> list[Served]:
            together.wait()
            return [server.submit(answer, time.perf_counter()).result() for _ in range(each)]

        return [one for found in [people.submit(client) for _ in range(clients)] for one in found.result()]
