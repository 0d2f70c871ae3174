"""Work in chunks that survive a kill: what is done stands in ``run.checkpoints``, and is not done again.

A step that was killed and started again gets the rows of the finished chunks from there, and makes the others
exactly as it would have: every chunk has a seed of its own, which follows from the step's seed and its place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import count
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
    starts, pace, found = range(0, len(items), size), Pace(run), []
    chunks = kept_chunks(
        run,
        what,
        lambda place: work(items[starts[place] :][:size], chunk_seed(run.seed, starts[place])),
    )
    for start, rows in zip(starts, chunks, strict=False):
        found += rows
        done = min(start + size, len(items))
        pace.log({what: float(done)}, done, len(items))
    return found


def kept_chunks(run: Run, what: str, work: Callable[[int], list[Row]]) -> Iterator[list[Row]]:
    """Chunk after chunk of rows, without end: those of an earlier attempt, then what ``work`` makes.

    ``work`` gets the number of the chunk. It may depend on the chunks before, which the caller has seen.
    """
    journal = run.checkpoints / f"{what}.jsonl"
    _mend(journal)
    done = [event["rows"] for event in read_rows(journal)]
    yield from done
    for place in count(len(done)):
        rows = work(place)
        append_event(journal, "chunk", rows=rows)
        yield rows


def chunk_seed(seed: int, start: int) -> int:
    """The seed of the chunk that begins with the item ``start``."""
    return int(digest_of([seed, start])[:8], 16)


def _mend(journal: Path) -> None:
    """Cut off a half-written last line, left by a kill."""
    if journal.is_file():
        data = journal.read_bytes()
        os.truncate(journal, data.rfind(b"\n") + 1)
