"""Rows that are nearly the same, and annotators who judged the same reply differently.

Near-duplicates are looked for among rows that begin or end with the same rare words, so that 100,000 rows
take seconds: words that many rows have (an instruction) say nothing. :mod:`ptx.stats.near` is the exact way,
which ``make=select make.by=minhash`` goes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from ptx.data import DataSet
from ptx.data.findings.suspect import SOME, texts_of
from ptx.data.records import Record, finding, of_all
from ptx.errors import Problem
from ptx.stats.agreement import krippendorff_alpha
from ptx.stats.ngrams import words_of

COMMON = 0.05  # share of rows from which on a word is an instruction's
ENDS = 3  # rare words at the beginning and at the end that near-duplicates share
LEAST, END = 6, 120  # rare words that a row must have, letters at each end of a row that are looked at
COUNTED = 5000  # rows, evenly over the file, by which a word is common
CLOSE, ALIKE = (
    0.6,
    0.8,
)  # likeness of rare words from which on the runs of five words are compared, and theirs
LATEST = 3  # rows of a bucket that a row is compared with
ANNOTATORS = re.compile(r"annotator|worker|rater|labell?er|reviewer|judge(?:_id)?$|user_id", re.IGNORECASE)
ITEMS, AGREEMENT = 10, 0.4  # items with two judgements, and Krippendorff's alpha below which it is told


def alike(data: DataSet, shape: str) -> list[Problem]:
    """The notes on rows of ``shape`` that resemble each other."""
    if shape == "calibration" or data.sources[shape].form.shape != shape:
        return []
    found: list[Problem] = data.once("alike", shape, lambda: [*_alike(data, shape)])
    return found


def _alike(data: DataSet, shape: str) -> Iterator[Problem]:
    records = data.located(shape)
    texts = [" ".join(part for side in texts_of(shape, one.row) for part in side) for one in records]
    near = [records[place] for place in near_places(texts)]
    if near and len(near) >= SOME * len(records):
        what = "is nearly the same as an earlier row"
        yield finding("near-duplicates", near, what, len(records))
    if shape in ("thumbs", "pairs"):
        yield from _disagreement(shape, records)


def near_places(texts: Sequence[str]) -> list[int]:
    """The places of texts that nearly repeat an earlier one; equal texts are not counted."""
    split = [_ends(text) for text in texts]
    some = split[:: max(1, len(split) // COUNTED)]
    counts = Counter(word for words in some for word in set(words))
    most = max(2 * LATEST, COMMON * len(some))
    common = {word for word, count in counts.items() if count > most}
    buckets: dict[tuple[str, ...], list[int]] = {}
    sets: list[frozenset[str]] = []
    found = []
    seen: dict[tuple[str, ...], str] = {}
    for place, words in enumerate(split):
        same = seen.setdefault(tuple(words), texts[place]) if words else texts[place]
        sets.append(frozenset(words) - common)
        if len(sets[-1]) < LEAST or same != texts[place]:
            found += [place] if _is_again(same, texts[place]) else []
            continue
        keys = [("first", *_some_of(words, sets[-1])), ("last", *_some_of(reversed(words), sets[-1]))]
        others = {other for key in keys for other in buckets.get(key, ())[-LATEST:]}
        close = [other for other in others if _share(sets[other], sets[-1]) >= CLOSE]
        if any(texts[other] != texts[place] and _is_near(texts[other], texts[place]) for other in close):
            found.append(place)
        for key in keys:
            buckets.setdefault(key, []).append(place)
    return found


def _some_of(words: Iterable[str], rare: frozenset[str]) -> Iterator[str]:
    return islice((word for word in words if word in rare), ENDS)


def _ends(text: str) -> list[str]:
    return words_of(text if len(text) <= 2 * END else f"{text[:END]} {text[-END:]}")


def _is_again(same: str, text: str) -> bool:
    """Whether a text that begins with the same words is another, and has the same words to its end."""
    return same != text and words_of(same) == words_of(text)


def _is_near(one: str, two: str) -> bool:
    from ptx.stats.near import jaccard, shingles_of

    return jaccard(shingles_of(one), shingles_of(two)) > ALIKE


def _share(one: frozenset[str], two: frozenset[str]) -> float:
    return len(one & two) / len(one | two)


def _disagreement(shape: str, records: Sequence[Record]) -> Iterator[Problem]:
    """The agreement of annotators on what several of them judged."""
    by = next((name for record in records[:1] for name in record.row if ANNOTATORS.search(name)), "")
    if not by:
        return
    verdicts: dict[str, dict[str, Any]] = {}
    for record in records:
        item, verdict = _judged(shape, record.row)
        verdicts.setdefault(item, {})[str(record.row.get(by))] = verdict
    several = [[*one.values()] for one in verdicts.values() if len(one) > 1]
    if len(several) < ITEMS:
        return
    alpha, low, high = krippendorff_alpha(several)[:3]
    if alpha < AGREEMENT:
        what = (
            f"{by}: on {len(several)} rows with several annotators they agree by alpha {alpha:.2f}"
            f" ({low:.2f} to {high:.2f}; 0 is chance)"
        )
        yield of_all("annotators-disagree", what)


def _judged(shape: str, row: dict[str, Any]) -> tuple[str, Any]:
    """What is judged, and the verdict."""
    if shape == "thumbs":
        return repr((row["prompt"], row["completion"])), row["label"]
    sides = sorted([repr(row["chosen"]), repr(row["rejected"])])
    return repr((row["prompt"], sides)), repr(row["chosen"]) == sides[0]
