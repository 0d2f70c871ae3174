"""Extract the answer from a reply, as text or as a number. Imports no ML library.

Scorers compare it with a reference, a vote counts the replies with the same answer, and reliability checks
whether a source contains it.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

#: sign, currency, digits (with or without commas for thousands), decimals, exponent, denominator; not inside
#: a word or a version such as 1.2.3
NUMBER = re.compile(
    r"(?<![\w])(?<!\d\.)(?P<sign>[-+]?)[$€£]?"
    r"(?P<digits>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,4})?|(?<!\.)\.\d+)"
    r"(?:/(?P<under>\d+)(?![\d./]))?"
)
FRACTION = re.compile(r"\\[dt]?frac\s*\{\s*([-+]?[\d.,]+)\s*\}\s*\{\s*(\d+)\s*\}")
#: marks of an answer, the most explicit first
MARKS = (
    re.compile(r"####"),
    re.compile(r"\\boxed\s*\{"),
    re.compile(r"\b(?:answer|respuesta|antwort)\s*(?:(?:is|es|ist)\b|:|=)", re.IGNORECASE),
)
PLAIN = str.maketrans(
    {**dict.fromkeys("\u2212\u2013\ufe63\uff0d", "-"), "\u2044": "/"}
)  # minus signs, fraction slash
EDGES = " .,;:!?\"'`*_()[]"
#: numbers with more digits before or after the point are noise, and slow to compare
DIGITS = 100


def normal(text: str, *, case: bool = False) -> str:
    """The text in Unicode NFKC, spaces and punctuation at its ends normalised; lower case unless ``case``."""
    text = " ".join(unicodedata.normalize("NFKC", text).split()).strip(EDGES)
    return text if case else text.casefold()


def stated(text: str) -> str:
    """The answer in a text: the rest of the line after its last mark, else the whole text.

    Punctuation at the ends is removed.
    """
    plain = FRACTION.sub(r"\1/\2", text.translate(PLAIN))
    for mark in MARKS:
        ends = [match.end() for match in mark.finditer(plain)]
        if ends and (found := plain[ends[-1] :].split("\n")[0].partition("}")[0].strip(EDGES)):
            return found
    return plain.strip(EDGES + "\n\t")


def number_in(text: str) -> Decimal | None:
    r"""The number that a text gives as its answer; None if there is none.

    It is the first number after the last mark (``####``, ``\boxed{``, "answer is"), else the last number.
    """
    text = FRACTION.sub(r"\1/\2", unicodedata.normalize("NFKC", text).translate(PLAIN))
    for mark in MARKS:
        ends = [match.end() for match in mark.finditer(text)]
        if ends and (numbers := numbers_in(text[ends[-1] :])):
            return numbers[0]
    numbers = numbers_in(text)
    return numbers[-1] if numbers else None


def numbers_in(text: str) -> list[Decimal]:
    """All numbers in a text, in order."""
    found = (_decimal(match) for match in NUMBER.finditer(text))
    return [number for number in found if number is not None]


def _decimal(match: re.Match[str]) -> Decimal | None:
    digits, under = match["digits"].replace(",", ""), Decimal(match["under"] or 1)
    if len(digits) + len(match["under"] or "") > DIGITS or not under:
        return None
    number = Decimal(match["sign"] + digits)
    return number / under if not number or abs(number.adjusted()) <= DIGITS else None


def vote(text: str) -> str:
    """The answer of a reply in a normal form, so that equal answers are equal texts.

    ``19``, ``19.0``, ``$19`` and a sentence whose only number is 19 are equal; without a number the
    normalised words are compared.
    """
    answer = stated(text)
    numbers = numbers_in(answer)
    return format(numbers[0].normalize(), "f") if len(numbers) == 1 else normal(answer)
