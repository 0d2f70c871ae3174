"""Work in chunks that survive a kill: what is done stands in ``run.checkpoints``, and is not done again.

A step that was killed and started again gets the rows of the finished chunks from there, and makes the others
exactly as it would have: every chunk has a seed of its own, which follows from the step's seed and its place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ptx.files import append_event, digest_of, read_rows
from ptx.hooks.run import Run
from ptx.lm.progress import Pace

T = TypeVar("T")
Row = dict[str, Any]


def in_chunks(
    run: Run, what: str, items: Sequence[T], size: int, work: Callable[[Sequence[T], int], list[Row]]
) -> list[Row]:
    """The rows that ``work`` gives for ``items``, which it gets ``size`` at a time, each time with a seed."""
    journal = run.checkpoints / f"{what}.jsonl"
    _mend(journal)
    done = [event["rows"] for event in read_rows(journal)]
    pace = Pace(run)
    for start in range(len(done) * size, len(items), size):
        rows = work(items[start : start + size], chunk_seed(run.seed, start))
        append_event(journal, "chunk", rows=rows)
        done.append(rows)
        pace.log({what: float(min(start + size, len(items)))}, min(start + size, len(items)), len(items))
    return [row for rows in done for row in rows]


def chunk_seed(seed: int, start: int) -> int:
    """The seed of the chunk that begins with the item ``start``."""
    return int(digest_of([seed, start])[:8], 16)


def _mend(journal: Path) -> None:
    """Cut off a half-written last line, left by a kill."""
    if journal.is_file():
        data = journal.read_bytes()
        os.truncate(journal, data.rfind(b"\n") + 1)
