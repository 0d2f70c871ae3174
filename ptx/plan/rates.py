"""How long a step takes, from steps of the same kind that ran on this machine before.

Every step and evaluation that ran from its start to its end leaves a line in ``rates.jsonl`` in the cache:
its choice, the model's size, the machine, the seconds, and how much work it was. A step is expected to take
the median of what equal steps took per unit of work. Without an equal one nothing is expected: no number is
made up.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ptx import machine
from ptx.config import identity_of
from ptx.files import append_event, cache_folder, digest_of, read_rows
from ptx.models.memory import Workload

FILE = "rates.jsonl"
MOST = 2000  # lines that are read; older ones count no longer
#: how many times as much or as little work a step may be for its time to follow from another's
REACH = 4
RECENT = 50  # steps of a kind that an expectation follows from
EVENT = "ran"


@dataclass(frozen=True)
class Expected:
    """The seconds that a step is expected to take, and from how many earlier steps that follows."""

    seconds: float
    count: int


def kind_of(part: Any, choice: str, parameters: int, device: str, work: Workload | None) -> tuple[str, float]:
    """(What steps must share for their rates to be compared, the units of work of this one).

    A step that says how much it does (``amount``) is compared with those of other amounts; any other one only
    with those of the same settings.
    """
    amount = part.amount(work) if work is not None else None
    same = (
        amount.alike
        if amount
        else digest_of([identity_of(part), part.work() if hasattr(part, "work") else ""])
    )
    facts = {"choice": choice, "parameters": parameters, "device": device, "same": same}
    return digest_of(facts | {"machine": _hardware()}), amount.units if amount else 1.0


@lru_cache(maxsize=1)
def _hardware() -> str:
    return digest_of(machine.hardware())


def record(kind: tuple[str, float], choice: str, seconds: float) -> None:
    """Note how long a step took. What cannot be written is not worth stopping a run for."""
    file = cache_folder() / FILE
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        append_event(file, EVENT, choice=choice, kind=kind[0], units=kind[1], seconds=seconds)
    except OSError:
        return


class Rates:
    """The (units of work, seconds) of earlier steps, by kind."""

    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        self.known: dict[str, list[tuple[float, float]]] = {}
        for row in list(rows)[-MOST:]:
            if row.get("event") == EVENT and row.get("units"):
                self.known.setdefault(row["kind"], []).append((row["units"], row["seconds"]))

    @classmethod
    def of_this_machine(cls, folder: Path | None = None) -> Rates:
        """What the cache holds; nothing where its file is damaged."""
        try:
            return cls(read_rows((folder or cache_folder()) / FILE))
        except (OSError, ValueError):
            return cls([])

    def expected(self, kind: tuple[str, float]) -> Expected | None:
        """The seconds of a step of this kind; None where none ran before."""
        near = [one for one in self.known.get(kind[0], []) if kind[1] <= REACH * one[0] <= REACH**2 * kind[1]]
        found = near[-RECENT:]
        return Expected(seconds_of(found, kind[1]), len(found)) if found else None


def seconds_of(known: Sequence[tuple[float, float]], units: float) -> float:
    """The seconds of so many units of work, on the line through what is ``known``.

    Its slope is the median of the slopes of all pairs of different amounts (Theil and Sen): the time to load
    a model is the same for few steps and for many. Of one amount alone nobody can tell that time apart, so
    all of it grows with the work.
    """
    slopes = [
        (late - early) / (more - less)
        for (less, early), (more, late) in itertools.permutations(known, 2)
        if more > less
    ]
    slope = max(statistics.median(slopes), 0.0) if slopes else 0.0
    start = max(statistics.median(seconds - slope * size for size, seconds in known), 0.0)
    if not slopes:
        return start * units / known[0][0]
    return start + slope * units
