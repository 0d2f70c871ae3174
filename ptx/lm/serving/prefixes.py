"""Find the common prefixes of many requests, so that each is processed once. Imports no ML library.

Log-likelihood requests are (context, continuation) pairs of token ids. They share tokens in two ways: the
choices of one item have the same context, and the items of a few-shot task have the same examples before
them. The first way is a :class:`Stem` with several tails (lm-eval's cache of one-token continuations is the
case in which every tail is empty). The second is a header (:func:`headers`). There are only these two levels,
because each further level would be another forward pass over fewer rows; SGLang (Zheng et al. 2024) keeps a
radix tree of any depth.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

Tokens = tuple[int, ...]
FEWEST = 8  # rows a header must have: with fewer, small batches cost more time than the header saves
SHORTEST = 16  # tokens a header must have to be worth a forward pass


@dataclass
class Stem:
    """The common prefix of some requests, and how they continue: tail -> places of the requests.

    The last token of a continuation is predicted but never read, so neither stem nor tails contain it.
    ``continuations`` holds the predicted tokens of each place.
    """

    tokens: Tokens
    tails: dict[Tokens, list[int]] = field(default_factory=dict)
    continuations: dict[int, Tokens] = field(default_factory=dict)

    @property
    def wanted(self) -> int:
        """The number of last tokens whose scores are needed.

        It is 1 when tails follow: the stem then predicts only the first token of each continuation.
        """
        return 1 if any(self.tails) else max(map(len, self.continuations.values()))

    def add(self, place: int, tail: Tokens, continuation: Tokens) -> None:
        """Add a request."""
        self.tails.setdefault(tail, []).append(place)
        self.continuations[place] = continuation

    def joined(self) -> Stem:
        """The stem and its tail as one row if there is only one tail, because nothing is shared."""
        if len(self.tails) > 1:
            return self
        ((tail, places),) = self.tails.items()
        return Stem(self.tokens + tail, {(): places}, self.continuations)


def stems(pairs: Sequence[tuple[Sequence[int], Sequence[int]]], most: int) -> list[Stem]:
    """The requests grouped by their prefix.

    A request longer than ``most`` tokens loses its beginning, as without sharing. A prefix shorter than
    what comes after it is not worth a pass of its own.
    """
    found: dict[Tokens, Stem] = {}
    for place, (context, continuation) in enumerate(pairs):
        row = tuple([*context, *continuation][-(most + 1) :][:-1])
        target = tuple(continuation)[-len(row) :]
        cut = len(row) - (len(target) - 1)  # the stem's last token predicts the continuation's first
        cut = cut if 2 * cut >= len(row) else len(row)
        found.setdefault(row[:cut], Stem(row[:cut])).add(place, row[cut:], target)
    return [stem.joined() for stem in found.values()]


def headers(
    rows: Sequence[Tokens], own: Sequence[int], fewest: int = FEWEST, shortest: int = SHORTEST
) -> list[tuple[int, list[int]]]:
    """(Length of a shared prefix, places of its rows); rows without a useful prefix come last, with length 0.

    ``own`` holds how many tokens of each row must come after its header, because their scores are needed. A
    group of rows is split when the parts, each with a longer prefix, save more tokens than the whole group.
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
    """The range from ``start`` to ``end``, split wherever neighbouring rows share the fewest tokens."""
    inside = common[start : end - 1]
    least = min(inside, default=0)
    cuts = [start, *(start + place + 1 for place, length in enumerate(inside) if length == least), end]
    return list(itertools.pairwise(cuts))


def shared(a: Sequence[int], b: Sequence[int]) -> int:
    """The length of the common prefix of two rows."""
    return next(
        (place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
