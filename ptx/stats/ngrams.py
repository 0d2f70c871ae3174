"""Texts that share runs of words: the n-grams of a text, and the texts that share some with others.

Contamination of training data is looked for in this way (Brown et al. 2020 use 13-grams). A text that is
shorter than n words is compared as a whole, unless it is so short that it may be there by chance. A
paraphrase is not found.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ptx.files import files_of

#: words that a text shorter than n must have to be compared as a whole
LEAST = 8
#: share of the texts in which an n-gram is an instruction that they have in common
COMMON = 0.1
READERS = (".jsonl", ".json", ".ndjson", ".txt", ".csv", ".tsv")
WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, without punctuation."""
    return WORD.findall(text.lower())


def ngrams(text: str, n: int) -> set[tuple[str, ...]]:
    """The n-grams of a text; the whole text where it is shorter."""
    words = words_of(text)
    if len(words) < n:
        return {tuple(words)} if len(words) >= LEAST else set()
    return {tuple(words[start : start + n]) for start in range(len(words) - n + 1)}


def known_of(texts: Iterable[str], n: int) -> set[tuple[str, ...]]:
    """The n-grams of all texts, without those that many of them have: an instruction, not a question.

    A text that is compared as a whole must stand there once; one that is repeated is a common answer.
    """
    times = Counter(texts)
    counts: Counter[tuple[str, ...]] = Counter()
    for text, repeated in times.items():
        grams = ngrams(text, n)
        counts.update({gram: repeated if len(gram) < n else 1 for gram in grams})
    most = max(1, COMMON * len(times))
    return {gram for gram, count in counts.items() if count <= (most if len(gram) == n else 1)}


def sharing(texts: Iterable[Iterable[str]], known: set[tuple[str, ...]], n: int) -> list[bool]:
    """For each group of texts (a row), whether one of them shares an n-gram with ``known``."""
    return [any(not known.isdisjoint(ngrams(text, n)) for text in group) for group in texts]


def texts_of(value: Any) -> list[str]:
    """Every text of a nested value."""
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inside for text in texts_of(one)]


def texts_at(path: Path) -> list[str]:
    """Every text in the data files at a path; the files of a model and the YAML of tasks are none.

    Raises:
        ValueError: a file is not what its ending says; the message names it.
    """
    if (path / "config.json").is_file():
        return []
    files = files_of(path) if path.is_dir() else [path]
    return [text for file in files if file.suffix in READERS for text in _read(file)]


def _read(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix in (".txt", ".csv", ".tsv"):
            return text.splitlines()
        lines = [text] if file.suffix == ".json" else filter(str.strip, text.split("\n"))
        return [found for line in lines for found in texts_of(json.loads(line))]
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
