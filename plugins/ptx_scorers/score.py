"""Scores of one answer against one reference: pure functions on text. nan means that it cannot be scored (no reference)."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

NAN = float("nan")
#: sign, currency, digits (thousands set off by commas, or not), decimals, exponent, denominator; not the inside of a word or of 1.2.3
NUMBER = re.compile(
    r"(?<![\w])(?<!\d\.)(?P<sign>[-+]?)[$€£]?"
    r"(?P<digits>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,4})?|(?<!\.)\.\d+)"
    r"(?:/(?P<under>\d+)(?![\d./]))?"
)
FRACTION = re.compile(r"\\[dt]?frac\s*\{\s*([-+]?[\d.,]+)\s*\}\s*\{\s*(\d+)\s*\}")
#: where an answer says that it is one, the most explicit first
MARKS = (
    re.compile(r"####"),
    re.compile(r"\\boxed\s*\{"),
    re.compile(r"\b(?:answer|respuesta|antwort)\s*(?:(?:is|es|ist)\b|:|=)", re.IGNORECASE),
)
PLAIN = str.maketrans({**dict.fromkeys("\u2212\u2013\ufe63\uff0d", "-"), "\u2044": "/"})  # minus signs, fraction slash
EDGES = " .,;:!?\"'`*_()[]"
#: numbers with more digits before or after the point are noise, and costly to compare
DIGITS = 100


def exact(completion: str, reference: str | None, *, case: bool = False) -> float:
    """1.0 when both are the same text after normalisation, else 0.0."""
    if reference is None:
        return NAN
    return float(normal(completion, case=case) == normal(reference, case=case))


def normal(text: str, *, case: bool = False) -> str:
    """Unicode NFKC, runs of space as one, no punctuation at the ends, lower case unless ``case``."""
    text = " ".join(unicodedata.normalize("NFKC", text).split()).strip(EDGES)
    return text if case else text.casefold()


def answer(completion: str, reference: str | None, tolerance: float = 1e-6) -> float:
    """1.0 when both answer the same: as numbers where the reference's answer is a number and nothing else, else as text."""
    if reference is None:
        return NAN
    wanted = stated(reference)
    if NUMBER.fullmatch(wanted):
        return numeric(completion, wanted, tolerance)
    return exact(stated(completion), wanted)


def stated(text: str) -> str:
    """The answer that a text states: what follows its last mark on that line, without punctuation at the ends; else all of it."""
    plain = FRACTION.sub(r"\1/\2", text.translate(PLAIN))
    for mark in MARKS:
        ends = [match.end() for match in mark.finditer(plain)]
        if ends and (found := plain[ends[-1] :].split("\n")[0].partition("}")[0].strip(EDGES)):
            return found
    return plain.strip(EDGES + "\n\t")


def numeric(completion: str, reference: str | None, tolerance: float = 1e-6) -> float:
    """1.0 when the completion's number is the reference's; nan when the reference holds none."""
    wanted = number_in(reference) if reference is not None else None
    if wanted is None:
        return NAN
    found = number_in(completion)
    return float(found is not None and abs(found - wanted) <= Decimal(repr(tolerance)))


def number_in(text: str) -> Decimal | None:
    r"""The number that a text answers with: the first one after its last mark (``####``, ``\boxed{``, "answer is"), else the last."""
    text = FRACTION.sub(r"\1/\2", unicodedata.normalize("NFKC", text).translate(PLAIN))
    for mark in MARKS:
        ends = [match.end() for match in mark.finditer(text)]
        if ends and (numbers := numbers_in(text[ends[-1] :])):
            return numbers[0]
    numbers = numbers_in(text)
    return numbers[-1] if numbers else None


def numbers_in(text: str) -> list[Decimal]:
    """All numbers of a text, in order."""
    found = (_decimal(match) for match in NUMBER.finditer(text))
    return [number for number in found if number is not None]


def _decimal(match: re.Match[str]) -> Decimal | None:
    digits, under = match["digits"].replace(",", ""), Decimal(match["under"] or 1)
    if len(digits) + len(match["under"] or "") > DIGITS or not under:
        return None
    number = Decimal(match["sign"] + digits)
    return number / under if not number or abs(number.adjusted()) <= DIGITS else None


def matches(completion: str, pattern: str, *, full: bool = True) -> float:
    """1.0 when the pattern matches the whole text (``full``) or some part of it, else 0.0."""
    found = re.fullmatch(pattern, completion) if full else re.search(pattern, completion)
    return float(found is not None)


def length(completion: str, words: int) -> float:
    """0.0 up to ``words`` words, then linearly down to -1.0 at twice as many."""
    over = (len(completion.split()) - words) / words
    return -min(max(over, 0.0), 1.0)
