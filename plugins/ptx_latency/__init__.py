"""``eval=[latency]``: time, memory and size of the artifact on the runtime that would serve it.

Measured in a fresh process that does nothing else, with its number of threads fixed. Requests are random
tokens and never end early, so two models always do the same work. A machine that others use too is now fast
and now slow, which would make the same model look faster than itself: requests to the artifact and to the
baseline therefore take turns (A B, B A, A B, ...), and ``latency/request_ratio`` is what the comparison rests
on. Neighbouring requests to one and the same model (B B, A A) give the noise floor of the sitting,
``latency/same_ratio``, from the same requests. With ``concurrency`` a turn is load: every client sends a few
requests, one after another, and a request's time includes what it waited for the others. A runtime that only
emulates the artifact (a quantised checkpoint unpacked before use) is not timed at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ptx import Choice, Evaluation, Evaluator, ModelRef, Run, hookimpl, must_be_at_least, setting


@dataclass
class Latency(Evaluator):
    """Time requests of one size, after some that are not counted."""

    opens_model: ClassVar[bool] = False
    timed: ClassVar[bool] = True
    compares: ClassVar[bool] = True
    prompt_tokens: int = setting(64, "tokens of a prompt")
    new_tokens: int = setting(32, "tokens generated per request")
    batch_size: int = setting(1, "prompts in one request")
    concurrency: int = setting(
        1,
        "clients that each send one request after another; what a request waits for the others is part of its"
        " time",
    )
    per_client: int = setting(4, "requests that each of several clients sends in a turn")
    warmup: int = setting(2, "turns that are not counted")
    repeats: int = setting(
        20,
        "turns that are counted: one request each, or those of all clients; an upper bound of the p95 needs"
        " 72 requests, of the p99 368",
    )
    turns: bool = setting(
        True,
        "time the baseline's requests in turns with the artifact's, for a comparison that a busy machine does"
        " not bend",
    )
    threads: int = setting(1, "CPU threads; one is what repeats best on a machine that others use too")
    price_per_hour: float | None = setting(
        None, "what the machine costs per hour; gives the cost per million tokens"
    )
    currency: str = setting("USD", "of that price")

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
        Choice("eval", "latency", Latency, "time, memory and size", ("torch", "transformers"), version="5")
    ]


@hookimpl
def ptx_evaluate(
    run: Run, evaluator: Evaluator, model: ModelRef, baseline: ModelRef | None = None
) -> Evaluation | None:
    """Measure in a child process."""
    if not isinstance(evaluator, Latency):
        return None
    from ptx_latency.evaluate import evaluate

    return evaluate(run, evaluator, model, baseline)
