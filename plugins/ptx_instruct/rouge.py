"""ROUGE-L (Lin 2004) of two texts: the F-measure of their longest common subsequence of words.

The length of the subsequence is counted on whole numbers as bit vectors (Hyyrö 2004), one step per word, so a
candidate is compared with thousands of texts in a moment. Words are runs of letters and digits in any script;
Chinese, Japanese and Korean characters count one by one. (The package ``rouge_score`` knows ASCII only.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

SINGLE = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
WORD = re.compile(rf"[{SINGLE}]|[^\W_{SINGLE}]+")


def words_of(text: str) -> list[str]:
    """The words of a text in small letters."""
    return WORD.findall(text.lower())


def rouge_l(one: Sequence[str], other: Sequence[str]) -> float:
    """The F-measure of two lists of words; 0 where one of them is empty."""
    return 2 * common(one, other) / (len(one) + len(other)) if one and other else 0.0


def common(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    places: dict[str, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    free = full = (1 << len(one)) - 1
    for word in other:
        matched = free & places.get(word, 0)
        free = ((free + matched) | (free - matched)) & full
    return len(one) - free.bit_count()


class Pool:
    """The instructions so far; a new one must differ from all of them."""

    def __init__(self, texts: Sequence[str], most: float) -> None:
        self.most = most
        self.known = [words_of(text) for text in texts]
        self.plain = {" ".join(words) for words in self.known}

    def refuses(self, text: str, parent: str = "") -> str:
        """Why a text is not new: ``duplicates`` or ``near``; empty if it is.

        It may resemble the ``parent`` that it was made of, as long as it is not the same.
        """
        words, origin = words_of(text), words_of(parent)
        if " ".join(words) in self.plain:
            return "duplicates"
        total = len(words)
        for known in self.known:
            reachable = 2 * min(total, len(known)) / (total + len(known)) if known else 0.0
            if reachable > self.most and known != origin and rouge_l(words, known) > self.most:
                return "near"
        return ""

    def add(self, text: str) -> None:
        """Take in a text."""
        words = words_of(text)
        self.known.append(words)
        self.plain.add(" ".join(words))
