"""The languages of what was written, so that a set meant for one language is seen to drift into another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

MOST = 500  # texts that are looked at, evenly spread: a share to within some percent
OTHER = "other"


def shares(texts: Sequence[str]) -> dict[str, float]:
    """The share of texts in each language (``language_en``), of three at most; the rest is ``other``.

    langdetect guesses from few letters, so single words are often wrong; look at the large shares.
    """
    some = texts[:: max(1, -(-len(texts) // MOST))]
    counted = Counter(language_of(text) for text in some)
    named = [name for name, _ in counted.most_common() if name != OTHER][:3]
    counts = {name: counted[name] for name in named}
    counts[OTHER] = len(some) - sum(counts.values())
    return {f"language_{name}": count / len(some) for name, count in counts.items() if count}


def language_of(text: str) -> str:
    """The language's code, or ``other`` for a text without letters that tell."""
    import langdetect

    langdetect.DetectorFactory.seed = 0
    try:
        return str(langdetect.detect(text)).partition("-")[0]
    except langdetect.LangDetectException:
        return OTHER
