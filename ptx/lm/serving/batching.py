"""Batches that fit into memory: their size follows from what is free, and is halved where that was too much.

The size is found once for a model that is opened on a machine. A batch ends early where the next row would
bring much padding. Padding and the number of rows move the last digits of scores, and nothing else, so
``auto`` is what the key of an evaluation holds and the record says what it became (:meth:`Batches.settled`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ptx import machine
from ptx.lm.progress import Rows
from ptx.lm.serving.scoring import ENOUGH, is_wasteful

AUTO = "auto"
ROWS = {"cpu": 32, "cuda": 256}  # the most rows; more make no pass faster
SHARE = 0.5  # of the free memory is meant for a batch: the estimate of a token is a rough one
#: how torch's allocators say that memory is full, where the type of the error does not
FULL = ("can't allocate memory", "out of memory", "std::bad_alloc", "not enough memory")
MOST_MEMORY = 2.0**40  # where nobody says how much is free
T = TypeVar("T")


def is_memory_full(error: BaseException) -> bool:
    """Whether an error says that the memory of a GPU or of the machine is full."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in FULL)


def token_bytes(config: Any, each: int) -> tuple[int, int]:
    """Estimates of the memory that a token needs: one that is scored, and one that is only kept.

    What is kept are the keys and values of all layers. A token that is scored also has the activations of
    the widest layer and the scores of the whole vocabulary, twice in float32 for their softmax.
    """
    hidden = int(config.hidden_size)
    wide = int(getattr(config, "intermediate_size", None) or 4 * hidden)
    kept = 2 * int(getattr(config, "num_hidden_layers", None) or 1) * hidden * each
    return kept + (6 * hidden + 3 * wide) * each + int(config.vocab_size) * (each + 8), kept


@dataclass
class Batches:
    """How many rows are read at once, and how many tokens with padding are scored or kept at once."""

    rows: int
    scored: int
    kept: int
    enough: int | None = None  # tokens of a pass from which on padding is avoided; None: never
    halved: list[int] = field(default_factory=list)  # the sizes that were too much

    @classmethod
    def of(cls, asked: int | str, config: Any, each: int, device: str) -> Batches:
        """The batches for ``batch_size`` of a runtime: so many rows, or for ``auto`` as many as fit.

        ``each`` is the number of bytes of an activation.
        """
        if asked != AUTO:
            return cls(int(asked), 2**31, 2**31)
        room = min(machine.free_bytes(device), MOST_MEMORY) * SHARE
        scored, kept = (max(1, int(room / size)) for size in token_bytes(config, each))
        return cls(ROWS.get(device, ROWS["cpu"]), scored, kept, ENOUGH.get(device, ENOUGH["cpu"]))

    def settled(self) -> dict[str, Any]:
        """What a record says of them."""
        found = {"rows": self.rows, "scored_tokens": self.scored, "kept_tokens": self.kept}
        return found | ({"too_large": self.halved} if self.halved else {})

    def each(
        self, lengths: Sequence[int], work: Callable[[list[int]], T], tokens: int | None = None
    ) -> Iterator[tuple[list[int], T]]:
        """Yield (places of rows, what ``work`` makes of them), the longest rows first, and tell the run.

        ``tokens`` is given where tokens are only kept: ``kept``.
        """
        rows, done = Rows(len(lengths)), 0
        for part, made in self.parts(lengths, work, tokens):
            yield part, made
            done += len(part)
            rows.tell(done)

    def parts(
        self, lengths: Sequence[int], work: Callable[[list[int]], T], tokens: int | None = None
    ) -> Iterator[tuple[list[int], T]]:
        """The same, and nobody is told. Where memory is full a batch is done again in halves.

        Later batches are then no larger.
        """
        waiting = sorted(range(len(lengths)), key=lambda place: -lengths[place])
        while waiting:
            part = waiting[: self._together([lengths[place] for place in waiting[: self.rows]], tokens)]
            try:
                made = work(part)
            except Exception as error:
                if len(part) == 1 or not is_memory_full(error):
                    raise
                self.halved.append(len(part))
                self.rows = len(part) // 2
            else:
                yield part, made
                waiting = waiting[len(part) :]
                continue
            machine.release_memory()  # here the error and its frames are gone

    def _together(self, lengths: Sequence[int], tokens: int | None) -> int:
        """How many of the rows, the longest first, make the next batch."""
        fits = max(1, (self.scored if tokens is None else tokens) // max(lengths[0], 1))
        own = 0
        for count, length in enumerate(lengths[:fits]):
            if tokens is None and is_wasteful(own, length, lengths[0] * (count + 1), self.enough):
                return count
            own += length
        return len(lengths[:fits])
