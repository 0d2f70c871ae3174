"""Send TRL's warnings to the console and the event log of a run instead of stderr."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from typing_extensions import override

from ptx.hooks.run import Run

#: TRL repeats this warning at every step; ptx counts such answers and reports them once
LEFT_OUT = "All reward functions returned None"


class _ReportOnce(logging.Handler):
    """Reports every distinct warning to the run once."""

    def __init__(self, run: Run) -> None:
        super().__init__(logging.WARNING)
        self.run, self.reported = run, set[str]()

    @override
    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage().removeprefix("[RANK 0] ")
        if text not in self.reported and LEFT_OUT not in text:
            self.reported.add(text)
            self.run.say(f"TRL: {text}")


@contextmanager
def report_trl_warnings(run: Run) -> Iterator[None]:
    """Report TRL's warnings through ``run.say`` while the context is open, and print them nowhere else."""
    logger, handler = logging.getLogger("trl"), _ReportOnce(run)
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before
