"""Show the tqdm bars of libraries as the progress of a run.

Libraries write their bars to stderr, where they overwrite ptx's own progress and are not recorded. While a
library works, :func:`reported_bars` replaces ``tqdm`` in its modules by a :class:`Bar`, whose counts go to
``run.log``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import ExitStack, contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

from ptx.hooks.run import Run
from ptx.hooks.waiting import run_at_work

#: called with the description of a bar, its steps done and its total steps (None when unknown)
Report = Callable[[str, int, int | None], None]


class Bar:
    """The part of tqdm's interface that libraries use; it counts and reports, and draws nothing."""

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
        """Count ``by`` more steps and report them."""
        self.done += by
        self.report(self.desc, self.done, self.total)

    def close(self) -> None:
        """Do nothing: there is no bar on the screen."""


@contextmanager
def reported_bars(report: Report, *modules: ModuleType) -> Iterator[None]:
    """Replace the ``tqdm`` that each of ``modules`` has imported by a :class:`Bar` with ``report``."""
    with ExitStack() as stack:
        for module in modules:
            stack.enter_context(
                replaced(module, "tqdm", lambda *args, **kwargs: Bar(*args, report=report, **kwargs))
            )
        yield


@contextmanager
def compressed_tensors_bars(report: Report = lambda *_: None) -> Iterator[None]:
    """Send the bars of compressed-tensors to ``report`` while it packs, unpacks or moves a model.

    The library ignores TQDM_DISABLE.
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
def replaced(holder: Any, name: str, value: Any) -> Iterator[None]:
    """Set the attribute ``name`` of a module, a class or an object to ``value`` while the context is open."""
    own, old = name in vars(holder), getattr(holder, name)
    setattr(holder, name, value)
    try:
        yield
    finally:
        if own:
            setattr(holder, name, old)
        else:  # it is that of the class again
            delattr(holder, name)


class Rows:
    """Tells how many rows of a long call of a runtime are read; the run that is at work says it.

    A runtime has no run, and one call of it may be hundreds of answers.
    """

    def __init__(self, total: int, every: float = 5.0) -> None:
        self.total, self.every, self.last = total, every, time.monotonic()

    def tell(self, done: int) -> None:
        """Tell the number, unless that was less than ``every`` seconds ago, or all is done."""
        now, run = time.monotonic(), run_at_work()
        if run is None or done >= self.total or now - self.last < self.every:
            return
        self.last = now
        run.event("progress", what="rows", step=done, total=self.total)
        run.console.progress(f"{run.label} rows".strip(), {}, done, self.total)


class Pace:
    """Reports progress at most every ``every`` seconds, and always the last step, with the time remaining.

    The clock starts at the first step, so the time to load a model does not count.
    """

    def __init__(self, run: Run, every: float = 1.0) -> None:
        self.run, self.every = run, every
        self.first: tuple[int, float] | None = None
        self.last = 0.0

    def log(self, metrics: dict[str, float], step: int, total: int) -> None:
        """Report ``step`` of ``total``, unless the last report is less than ``every`` seconds old."""
        now = time.monotonic()
        if self.first is None or step < self.first[0]:  # the library's next bar starts from 0
            self.first, self.last = (step, now), now
        if step < total and now - self.last < self.every:
            return
        self.last = now
        eta = (now - self.first[1]) * (total - step) / max(step - self.first[0], 1)
        self.run.log({**metrics, "eta_seconds": round(eta, 1)}, step, total)
