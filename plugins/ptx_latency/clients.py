"""One turn of requests: a single request, or load from several clients.

A client sends one request after another and waits for each answer. The load is a closed loop: as many
requests are open as there are clients, so that a slow model gets no more requests than it can answer, and a
request's time includes its wait for others. Where requests wait depends on the runtime:

- An engine that batches requests as they arrive (``lm.time_clients``) schedules them itself.
- A model that several threads may use (``lm.concurrent``) is used by all clients at once.
- Any other model answers one request at a time, in the order of arrival.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

#: sends a request; returns the seconds to its first token, and from there to its last
Ask = Callable[[], tuple[float, float]]
#: seconds in the queue, to the first token (the queue included), and from there to the last
Served = tuple[float, float, float]


def turn_of(lm: Any, ask: Ask, spec: dict[str, Any]) -> tuple[list[Served], float]:
    """The requests of one turn, and the seconds of the whole turn."""
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
    """Run each client in a thread; ``at_once`` requests are answered at a time, in the order of arrival."""
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
