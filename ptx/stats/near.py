"""Near-duplicates by MinHash (Broder 1997) with locality-sensitive hashing, and exact duplicates.

Candidates share a band of their signatures; each is then compared by the true Jaccard similarity of its
shingles, so no row is dropped by an unlucky hash. A row is compared with the rows that are kept before it:
the first of a group stays, and selecting again drops nothing more. ``groups`` keeps all
rows, and says which belong together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ptx.stats.ngrams import words_of

PERMUTATIONS, BANDS, SHINGLE = 128, 32, 5
PRIME = (1 << 31) - 1
LATEST = 64  # rows of a bucket that a row is compared with: thousands alike need not all be compared


def distinct(texts: Sequence[str]) -> list[bool]:
    """Whether no earlier text is the same, apart from case, punctuation and spaces."""
    seen: set[str] = set()
    found = []
    for text in texts:
        words = words_of(text)
        plain = " ".join(words) if words else text.strip()
        found.append(plain not in seen)
        seen.add(plain)
    return found


def far(texts: Sequence[str], threshold: float) -> list[bool]:
    """Whether no kept text before it has a similarity above ``threshold``."""
    kept: list[bool] = []
    buckets: dict[tuple[int, bytes], list[int]] = {}
    shingles = [shingles_of(text) for text in texts]
    multipliers, offsets = _permutations()
    for place, own in enumerate(shingles):
        bands = [*enumerate(_bands(own, multipliers, offsets))]
        near = {other for band in bands for other in buckets.get(band, ())}
        kept.append(all(jaccard(own, shingles[other]) <= threshold for other in near))
        if kept[-1]:
            for band in bands:
                buckets.setdefault(band, []).append(place)
    return kept


def groups(texts: Sequence[str], threshold: float) -> list[int]:
    """The group of each text: a chain of similarities of at least ``threshold`` joins its texts.

    Groups are numbered by the place of their first text.
    """
    parent = list(range(len(texts)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = place = parent[parent[place]]
        return place

    buckets: dict[tuple[int, bytes], list[int]] = {}
    equal: dict[frozenset[int], int] = {}
    shingles = [shingles_of(text) for text in texts]
    multipliers, offsets = _permutations()
    for place, own in enumerate(shingles):
        parent[place] = equal.setdefault(frozenset(own), place)
        for band in enumerate(_bands(own, multipliers, offsets)) if parent[place] == place else ():
            others = buckets.setdefault(band, [])
            for other in others[-LATEST:]:
                first, second = sorted((root(other), root(place)))
                if first != second and jaccard(own, shingles[other]) >= threshold:
                    parent[second] = first
            others.append(place)
    return [root(place) for place in range(len(texts))]


def shingles_of(text: str) -> set[int]:
    """The 5-grams of words as numbers; a shorter text is one."""
    words = words_of(text) or [text.strip()]
    grams = [words[start : start + SHINGLE] for start in range(max(1, len(words) - SHINGLE + 1))]
    digests = (hashlib.blake2b(" ".join(gram).encode(), digest_size=4).digest() for gram in grams)
    return {int.from_bytes(digest, "little") % PRIME for digest in digests}


def jaccard(one: set[int], other: set[int]) -> float:
    """The size of the intersection over that of the union."""
    return len(one & other) / len(one | other)


def _permutations() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The hash functions a x + b mod p; always the same, so that the result follows from the rows alone."""
    drawn = np.random.default_rng(0).integers(1, PRIME, size=(2, PERMUTATIONS), dtype=np.uint64)
    return drawn[0], drawn[1]


def _bands(shingles: set[int], multipliers: NDArray[np.uint64], offsets: NDArray[np.uint64]) -> list[bytes]:
    values = np.fromiter(shingles, np.uint64, len(shingles))
    signature = ((values[:, None] * multipliers + offsets) % np.uint64(PRIME)).min(axis=0)
    return [band.tobytes() for band in signature.astype(np.uint32).reshape(BANDS, -1)]
