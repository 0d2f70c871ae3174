"""Whether a reply declines, whether a source supports it, and which sources it cites, from text alone.

The two functions that the choices name come first; the others are pure functions on text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ptx.lm.evaluation.quantities import numbers_in
from ptx_reliability import Abstention, WordSupport

NAN = float("nan")
PHRASES = (
    "i don't know", "i do not know", "i'm not sure", "i am not sure", "cannot be determined",
    "can't be determined", "cannot answer", "can't answer", "not enough information", "no information",
    "not mentioned", "does not say", "doesn't say", "unable to answer", "no lo sé", "no sé",
    "no puedo responder", "no se menciona", "ich weiß nicht", "ich weiß es nicht",
    "kann ich nicht beantworten", "wird nicht erwähnt", "je ne sais pas", "je ne peux pas répondre",
)  # fmt: skip
FUNCTION_WORDS = frozenset(
    {
        "a", "an", "the", "of", "in", "on", "at", "to", "for", "by", "with", "from", "and", "or", "but",
        "not", "is", "are", "was", "were", "be", "been", "it", "its", "this", "that", "these", "those", "as",
        "which", "who", "what", "i", "you", "he", "she", "they", "we", "answer", "think", "el", "la", "los",
        "las", "un", "una", "de", "del", "en", "y", "o", "es", "son", "que", "se", "lo", "su", "por", "con",
        "para", "respuesta", "creo", "der", "die", "das", "ein", "eine", "einen", "dem", "den", "des", "und",
        "oder", "ist", "sind", "im", "von", "mit", "zu", "auf", "für", "antwort", "ich", "glaube", "le",
        "les", "une", "et", "ou", "est", "sont", "dans", "du", "au",
    }
)  # fmt: skip
CITATION = re.compile(r"\[\s*([\w.-]+(?:\s*[,;]\s*[\w.-]+)*)\s*\]")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?!\[)")


def abstention(scorer: Abstention, completions: list[str]) -> list[float]:
    """1.0 for each completion that declines to answer, else 0.0."""
    return [float(abstains(text, scorer.also)) for text in completions]


def word_support(scorer: WordSupport, completions: list[str], references: list[str | None]) -> list[float]:
    """:func:`supported` for each completion and its reference."""
    return [
        supported(text, source, scorer.share) for text, source in zip(completions, references, strict=True)
    ]


def abstains(text: str, also: Sequence[str] = ()) -> bool:
    """Whether the text holds one of the phrases."""
    lowered = " ".join(text.casefold().replace("\u2019", "'").split())
    return any(phrase.casefold() in lowered for phrase in (*PHRASES, *also))


def supported(text: str, source: str | None, share: float) -> float:
    """1.0 if ``source`` holds all numbers and at least ``share`` of the content words of ``text``, else 0.0.

    nan without a source, or if the text has neither numbers nor content words.
    """
    said = content_words(CITATION.sub(" ", text))
    numbers = set(numbers_in(CITATION.sub(" ", text)))
    if source is None or not (said or numbers):
        return NAN
    known = set(content_words(source))
    found = sum(word in known for word in said) / len(said) if said else 1.0
    return float(found >= share and numbers <= set(numbers_in(source)))


def content_words(text: str) -> list[str]:
    """The words of a text in lower case, without function words and numbers."""
    return [word for word in re.findall(r"[^\W\d_]+", text.casefold()) if word not in FUNCTION_WORDS]


def citations(text: str) -> list[tuple[str, str]]:
    """(Sentence, source's id) of every citation such as [2], [a] or [1, 3], each once per sentence."""
    found = []
    for sentence in SENTENCE_END.split(text):
        names = [name for group in CITATION.findall(sentence) for name in re.split(r"\s*[,;]\s*", group)]
        found += [(sentence, name) for name in dict.fromkeys(names)]
    return found


def with_sources(question: str, sources: Mapping[str, str]) -> str:
    """The question as it is asked, with the numbered sources before it."""
    return "".join(f"[{name}] {text}\n" for name, text in sources.items()) + question
