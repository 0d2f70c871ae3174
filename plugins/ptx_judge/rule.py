"""The offline judge: what a program can see of an answer. Pure functions on text."""

from __future__ import annotations

import re
import unicodedata

WORD = re.compile(r"\w+(?:[.,:/-]\w+)*")
FORM = 0.1  # what the form is worth beside the answer's 1
LOOP = 0.5  # a text whose share of distinct three-word runs is below this runs in circles


def score(completion: str, reference: str | None, most: int) -> float:
    """1 for holding the reference (0 without one) plus up to :data:`FORM` for the form."""
    return (float(holds(completion, reference, most)) if reference is not None else 0.0) + FORM * form(
        completion, most
    )


def holds(completion: str, reference: str, most: int) -> bool:
    """Whether the reference's words stand in the completion, side by side and in order, with at most ``most``
    words around them.
    """
    said, wanted = words(completion), words(reference)
    if not wanted or len(said) - len(wanted) > most:
        return False
    return any(said[start : start + len(wanted)] == wanted for start in range(len(said) - len(wanted) + 1))


def form(completion: str, most: int) -> float:
    """The share kept of three rules: it says something, it does not run in circles, it is not too long.
    Nothing said keeps none.
    """
    said = words(completion)
    if not said:
        return 0.0
    return (1 + (variety(said) >= LOOP) + (len(said) <= most)) / 3


def variety(said: list[str]) -> float:
    """Distinct three-word runs as a share of all."""
    runs = [tuple(said[start : start + 3]) for start in range(len(said) - 2)]
    return len(set(runs)) / len(runs) if runs else 1.0


def words(text: str) -> list[str]:
    """Words and numbers in lower case, without the punctuation around them."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())
