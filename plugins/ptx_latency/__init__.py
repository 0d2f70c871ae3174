"""``eval=[latency]``: time, memory and size of the artifact on the runtime that would serve it.

A fresh process measures, does nothing else, and has a fixed number of threads. Requests are random tokens and
never end early, so two models always do the same work.

The speed of a shared machine varies over time, so that a model could look faster than itself. Requests to the
artifact and to the baseline therefore alternate (A B, B A, A B, ...), and a comparison uses
``latency/request_ratio``. Neighbouring requests to the same model (B B, A A) give the noise floor of the same
measurement, ``latency/same_ratio``.

With ``concurrency`` a turn is load: every client sends a few requests, one after another, and a request's
time includes the time that it waits for others. A runtime that only emulates the artifact (a quantised
checkpoint that is unpacked before use) is not timed at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ptx import Choice, Evaluator, hookimpl, must_be_at_least, setting


@dataclass
class Latency(Evaluator):
    """Time requests of one size, after a warm-up."""

    opens_model: ClassVar[bool] = False
    timed: ClassVar[bool] = True
    compares: ClassVar[bool] = True
    metrics: ClassVar[Mapping[str, str]] = {
        "latency/request_ratio": "Median of a request's time divided by that of the baseline's request"
        " beside it; lower is better.",
        "latency/same_ratio": "Median of that ratio between neighbouring requests to one model: the noise"
        " floor, near 1.",
        "latency/request_seconds": "Median seconds of a request, waiting included; lower is better.",
        "latency/prefill_seconds": "Median seconds to the first token; lower is better.",
        "latency/token_seconds": "Median seconds per token after the first; lower is better.",
        "latency/waiting_seconds": "Median seconds that a request waits in the queue, under load; lower is"
        " better.",
        "latency/decode_tokens_per_second": "Median tokens per second after the first token; higher is"
        " better.",
        "latency/throughput_tokens_per_second": "Median tokens per second of all clients together; higher is"
        " better.",
        "latency/joules_per_token": "Median joules per generated token, if the machine counts energy; lower"
        " is better.",
        "latency/p95_seconds": "95th percentile of a request's seconds; lower is better.",
        "latency/p99_seconds": "99th percentile of a request's seconds; lower is better.",
        "latency/cost_per_million_tokens": "Price of a million generated tokens, from price_per_hour; lower"
        " is better.",
        "latency/load_seconds": "Seconds to open the model, measured once; lower is better.",
        "latency/peak_memory_bytes": "Most memory of the process in bytes, measured once; lower is better.",
        "latency/gpu_memory_bytes": "Most GPU memory in bytes, measured once; lower is better.",
        "size/bytes_on_disk": "Bytes of all files to ship, an adapter's base included; lower is better.",
        "size/parameters": "The number of stored weights; lower is better.",
        "size/nonzero_parameters": "The number of stored weights that are not zero; lower is better.",
    }
    prompt_tokens: int = setting(64, "tokens of a prompt")
    new_tokens: int = setting(32, "tokens generated per request")
    batch_size: int = setting(1, "prompts in one request")
    concurrency: int = setting(
        1,
        "clients that each send one request after another; the time that a request waits for others is part"
        " of its time",
    )
    per_client: int = setting(4, "requests that each of several clients sends in a turn")
    warmup: int = setting(2, "turns that are not counted")
    repeats: int = setting(
        20,
        "turns that are counted, each of one request or of those of all clients; an upper bound of the p95"
        " needs 72 requests, of the p99 368",
    )
    turns: bool = setting(
        True,
        "alternate the artifact's requests with the baseline's, so that a busy machine does not distort the"
        " comparison",
    )
    threads: int = setting(1, "CPU threads; one thread gives the most repeatable times on a shared machine")
    price_per_hour: float | None = setting(
        None, "price of the machine per hour; gives the cost per million tokens"
    )
    currency: str = setting("USD", "currency of that price")

    def __post_init__(self) -> None:
        least_of = {
            "prompt_tokens": 1,
            "new_tokens": 2,
            "batch_size": 1,
            "concurrency": 1,
            "per_client": 1,
            "warmup": 0,
            "repeats": 2,
            "threads": 1,
        }
        for name, least in least_of.items():
            must_be_at_least(f"eval.latency.{name}", getattr(self, name), least, max(least, 2))
        if self.batch_size > 1 and self.concurrency > 1:
            what = (
                f"eval.latency.batch_size={self.batch_size} and eval.latency.concurrency={self.concurrency}"
                " are both above 1"
            )
            raise ValueError(f"{what}; a client sends one prompt at a time: try eval.latency.batch_size=1")
        if self.price_per_hour is not None and self.price_per_hour <= 0:
            what = f"eval.latency.price_per_hour must be positive, got {self.price_per_hour}"
            raise ValueError(f"{what}; try eval.latency.price_per_hour=2.5")


@hookimpl
def ptx_choices() -> list[Choice]:
    """``eval=[latency]``."""
    return [
        Choice(
            "eval",
            "latency",
            Latency,
            "time, memory and size",
            ("torch", "transformers"),
            version="5",
            calls="ptx_latency.evaluate:evaluate",
        )
    ]
