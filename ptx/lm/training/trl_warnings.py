"""What TRL warns of, in the run's own words and record instead of loose lines on stderr."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ptx.hooks.run import Run

#: TRL repeats this at every step; ptx counts such answers and says so once
LEFT_OUT = "All reward functions returned None"


class _Says(logging.Handler):
    """Says every distinct warning once."""

    def __init__(self, run: Run) -> None:
        super().__init__(logging.WARNING)
        self.run, self.told = run, set[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a warning on."""
        text = record.getMessage().removeprefix("[RANK 0] ")
        if text not in self.told and LEFT_OUT not in text:
            self.told.add(text)
            self.run.say(f"TRL: {text}")


@contextmanager
def report_trl_warnings(run: Run) -> Iterator[None]:
    """While this is open, TRL's warnings are said by ``run`` and printed nowhere else."""
    logger, handler = logging.getLogger("trl"), _Says(run)
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before
