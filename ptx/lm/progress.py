"""What libraries show as tqdm bars, shown as a run's progress instead.

Libraries write their bars to stderr, over the terminal's own progress and into nobody's record. A
:class:`Bar` stands in for ``tqdm`` in a library's module while it works (:func:`reported_bars`); what it
counts goes to ``run.log``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import ExitStack, contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

from ptx.hooks.run import Run

#: description of a bar, steps done, steps in all (None when unknown)
Report = Callable[[str, int, int | None], None]


class Bar:
    """The part of tqdm's interface that libraries use; counts and reports, draws nothing."""

    def __init__(
        self,
        iterable: Iterable[Any] | None = None,
        *,
        total: int | None = None,
        desc: str = "",
        report: Report,
        **_: Any,
    ) -> None:
        self.iterable = () if iterable is None else iterable
        self.total = (
            len(self.iterable)
            if total is None and isinstance(self.iterable, Sized) and iterable is not None
            else total
        )
        self.desc = desc or ""
        self.report = report
        self.done = 0

    def __iter__(self) -> Iterator[Any]:
        for item in self.iterable:
            yield item
            self.update()

    def update(self, by: int = 1) -> None:
        """Count ``by`` more steps."""
        self.done += by
        self.report(self.desc, self.done, self.total)

    def close(self) -> None:
        """Nothing to close."""


@contextmanager
def reported_bars(report: Report, *modules: ModuleType) -> Iterator[None]:
    """Let the ``tqdm`` that each of ``modules`` has imported report to ``report``."""
    with ExitStack() as stack:
        for module in modules:
            stack.enter_context(
                replaced(module, "tqdm", lambda *args, **kwargs: Bar(*args, report=report, **kwargs))
            )
        yield


@contextmanager
def compressed_tensors_bars(report: Report = lambda *_: None) -> Iterator[None]:
    """compressed-tensors shows its bars whatever TQDM_DISABLE says, when it packs, unpacks or moves a
    model.
    """
    from compressed_tensors.compressors.model_compressors import model_compressor
    from compressed_tensors.offload import dispatch
    from compressed_tensors.quantization.lifecycle import apply
    from compressed_tensors.transform.factory import base

    with (
        reported_bars(report, model_compressor, dispatch, apply),
        replaced(base, "tqdm", SimpleNamespace(tqdm=lambda items, **_: items)),
    ):
        yield


@contextmanager
def replaced(module: ModuleType | type, name: str, value: Any) -> Iterator[None]:
    """Another value for a module's global, or a class's method, while the context lasts."""
    old = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, old)


class Pace:
    """Reports at most every ``every`` seconds, always the last step, and says how long the rest will take.

    The clock starts with the first step: what was loaded before it says nothing about the pace.
    """

    def __init__(self, run: Run, every: float = 1.0) -> None:
        self.run, self.every = run, every
        self.first: tuple[int, float] | None = None
        self.last = 0.0

    def log(self, metrics: dict[str, float], step: int, total: int) -> None:
        """Report ``step`` of ``total`` when it is time."""
        now = time.monotonic()
        if self.first is None or step < self.first[0]:  # a library's next bar begins again
            self.first, self.last = (step, now), now
        if step < total and now - self.last < self.every:
            return
        self.last = now
        eta = (now - self.first[1]) * (total - step) / max(step - self.first[0], 1)
        self.run.log({**metrics, "eta_seconds": round(eta, 1)}, step, total)
