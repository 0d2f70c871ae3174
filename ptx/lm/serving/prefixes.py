"""Which of many requests begin alike, so that what they share is read once. Pure; imports no ML library.

Log-likelihood requests are (context, continuation) pairs of token ids, and they share twice: the choices of
one item have its context in common, and the items of a few-shot task the examples before them. The first kind
is a :class:`Stem` with several tails (lm-eval's cache of one-token continuations is the case in which every
tail is empty), the second a header (:func:`headers`). Two levels and no deeper tree (Zheng et al. 2024,
"SGLang", keep a radix tree of any depth): each further level is a forward pass of its own over fewer rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

Tokens = tuple[int, ...]
FEWEST = 8  # rows that a header must serve: fewer make small batches, which lose more than the header saves
SHORTEST = 16  # tokens of a header worth a forward pass of its own


@dataclass
class Stem:
    """What some requests begin with, and how each goes on: tail -> the requests' places.

    The last token of a continuation is only predicted, never read, so it is in none of them;
    ``continuations`` says what each place predicts.
    """

    tokens: Tokens
    tails: dict[Tokens, list[int]] = field(default_factory=dict)
    continuations: dict[int, Tokens] = field(default_factory=dict)

    @property
    def wanted(self) -> int:
        """How many of its last tokens' scores are needed: what follows several tails, only the first of the
        continuation.
        """
        return 1 if any(self.tails) else max(map(len, self.continuations.values()))

    def add(self, place: int, tail: Tokens, continuation: Tokens) -> None:
        """One more request."""
        self.tails.setdefault(tail, []).append(place)
        self.continuations[place] = continuation

    def joined(self) -> Stem:
        """The same as one row, where only one tail follows: there is nothing to share."""
        if len(self.tails) > 1:
            return self
        ((tail, places),) = self.tails.items()
        return Stem(self.tokens + tail, {(): places}, self.continuations)


def stems(pairs: Sequence[tuple[Sequence[int], Sequence[int]]], most: int) -> list[Stem]:
    """The requests by what they begin with; of one that is longer than ``most`` tokens the beginning is lost,
    as it is without sharing.
    """
    found: dict[Tokens, Stem] = {}
    for place, (context, continuation) in enumerate(pairs):
        row = tuple([*context, *continuation][-(most + 1) :][:-1])
        target = tuple(continuation)[-len(row) :]
        cut = len(row) - (len(target) - 1)  # the stem's last token predicts the first of the continuation
        found.setdefault(row[:cut], Stem(row[:cut])).add(place, row[cut:], target)
    return [stem.joined() for stem in found.values()]


def headers(
    rows: Sequence[Tokens], own: Sequence[int], fewest: int = FEWEST, shortest: int = SHORTEST
) -> list[tuple[int, list[int]]]:
    """(Length of a shared beginning, places of the rows that have it); those that share nothing worth the
    while come last, with 0.

    ``own`` says how many tokens of each row must stay behind its header, as their scores are wanted. A set of
    rows is divided where its parts, each with its own longer beginning, save more tokens than the whole.
    """
    order = sorted(range(len(rows)), key=lambda place: rows[place])
    common = [shared(rows[a], rows[b]) for a, b in itertools.pairwise(order)]
    free = [len(rows[place]) - own[place] for place in order]
    found: list[tuple[int, list[int]]] = []
    rest: list[int] = []
    waiting = [(0, len(order))]
    while waiting:
        start, end = waiting.pop()
        if end - start < fewest:
            rest += order[start:end]
            continue
        length = min([*free[start:end], *common[start : end - 1]])
        whole = length * (end - start - 1) if length >= shortest else 0
        parts = _parts(common, start, end)
        apart = sum(min([*free[a:b], *common[a : b - 1]]) * (b - a - 1) for a, b in parts if b - a >= fewest)
        if apart > whole:
            waiting += parts
        elif whole:
            found.append((length, order[start:end]))
        else:
            rest += order[start:end]
    return [*found, (0, rest)] if rest else found


def _parts(common: Sequence[int], start: int, end: int) -> list[tuple[int, int]]:
    """The stretch divided wherever neighbours share the least."""
    inside = common[start : end - 1]
    least = min(inside, default=0)
    cuts = [start, *(start + place + 1 for place, length in enumerate(inside) if length == least), end]
    return list(itertools.pairwise(cuts))


def shared(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two rows begin with in common."""
    return next(
        (place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
