"""What each step of a recipe did: differences between the models that were measured along it.

The rows of a sweep share steps. So the model before a step was often measured too: the row whose steps are
the beginning of the others'. A link goes from one such row to the next; steps between which nothing was
measured are one link. All differences of a row are one family of Holm's correction, so "beyond noise" is
said of at most one unchanged row in twenty.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ptx.report.table.compare import Comparison, corrected_family, difference_of
from ptx.report.table.frame import Frame
from ptx.report.table.row import Row

Chain = tuple[str, ...]  # the keys of a row's steps


@dataclass(frozen=True)
class Link:
    """From one measured model to the next; ``changes`` has metric -> comparison."""

    before: Row
    after: Row
    steps: list[str]
    changes: dict[str, Comparison]


def links_of(frame: Frame, row: Row, known: Mapping[Chain, Sequence[Row]] | None = None) -> list[Link]:
    """The links from the baseline to a row, in the order of its steps."""
    known = by_chain(frame) if known is None else known
    keys, names = chain_of(row), _names(row)
    stops: list[tuple[int, Row]] = []
    for length in range(len(keys)):
        before = _measured(known.get(keys[:length], ()), row)
        if before is not None:
            stops.append((length, before))
    stops.append((len(keys), row))
    raw = {
        (place, name): one
        for place, ((_, before), (_, after)) in enumerate(itertools.pairwise(stops))
        for name in frame.columns
        if (one := difference_of(after, before, (name, "")))
    }
    family = corrected_family(raw)
    return [
        Link(
            before, after, names[start:end], {name: one for (of, name), one in family.items() if of == place}
        )
        for place, ((start, before), (end, after)) in enumerate(itertools.pairwise(stops))
    ]


def by_chain(frame: Frame) -> dict[Chain, list[Row]]:
    """The rows with results, by the keys of their steps."""
    found: dict[Chain, list[Row]] = {}
    for row in frame.rows:
        if row.done:
            found.setdefault(chain_of(row), []).append(row)
    return found


def chain_of(row: Row) -> Chain:
    """The keys of the steps that made a row's model; data that was made is no step of the model."""
    return tuple(str(step.get("key")) for step in _steps(row))


def _names(row: Row) -> list[str]:
    return [str(step.get("name")) for step in _steps(row)]


def _steps(row: Row) -> list[dict[str, object]]:
    steps = row.done[0].result.get("steps") if row.done else None
    return [step for step in steps or [] if step.get("kind") != "make"]


def _measured(rows: Sequence[Row], after: Row) -> Row | None:
    """The row among equal chains that fits best: of the same model, on the same runtime if there is one."""
    same = [row for row in rows if _basis(row)[0] == _basis(after)[0] and row is not after]
    return next((row for row in same if _basis(row) == _basis(after)), same[0] if same else None)


def _basis(row: Row) -> tuple[object, object]:
    record = row.records[0]
    return record.model.get("digest"), str((record.run.get("config") or {}).get("runtime"))
