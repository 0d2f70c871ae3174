r"""One spelling for answers that are written in many ways, in LaTeX, in Unicode or in plain signs."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from ptx.lm.evaluation.answers import PLAIN, trimmed

MOST = 1000  # characters of an answer that are read as more than words

#: (pattern, what is written instead), in this order
SPELLINGS = [
    (re.compile(pattern), written)
    for pattern, written in (
        (r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|textstyle|limits)(?![a-zA-Z])\s*\.?", ""),
        (r"\\[dtc]frac", r"\\frac"),
        (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\d)\s*\{", r"\\frac{\1}{"),
        (r"\\frac\s*(\{[^{}]*\})\s*(\d)", r"\\frac\1{\2}"),
        (r"\\sqrt\s*(\w)", r"\\sqrt{\1}"),
        (r"\\(?:math(?:rm|bf|it|sf)|text(?:bf|it|rm|normal)|mbox|operatorname|rm|bf)\s*\{", r"\\text{"),
        (r"\\(?:mathbb|mathcal)\s*\{?\s*([A-Z])\s*\}?", r"\\mathbb{\1}"),
        (r"(?<!\\)\\(?:[,!;: ]|quad|qquad)|~", " "),
        (r"\{\s*,\s*\}|(?<=\d),\s?\\!\s?(?=\d)", ","),
        (r"\\([%$#&])", r"\1"),
        (r"\^\s*\{?\s*\\circ\s*\}?|\\degree|\\circ", "°"),
        (r"\\(?:times|ast)(?![a-zA-Z])|\u00d7|⋅|(?<!\*)\*(?!\*)", r"\\cdot "),
        (r"\*\*", "^"),
        (r"\\leqslant|\\leq(?![a-z])|≤|<=", r"\\le "),
        (r"\\geqslant|\\geq(?![a-z])|≥|>=", r"\\ge "),
        (r"\\neq(?![a-z])|≠|!=", r"\\ne "),
        (r"\\lbrace", r"\\{"),
        (r"\\rbrace", r"\\}"),
        (r"\u222a", r"\\cup "),
        (r"∩", r"\\cap "),
        (r"∈", r"\\in "),
        (r"\\varnothing|∅|\\\{\s*\\\}", r"\\emptyset"),
        (r"π|(?<![a-zA-Z\\])pi(?![a-zA-Z])", r"\\pi "),
        (r"∞|(?<![a-zA-Z\\])(?:infinity|inf|oo)(?![a-zA-Z])", r"\\infty "),
        (r"±|\+/-", r"\\pm "),
        (r"√\s*\(([^()]*)\)|(?<![a-zA-Z\\])sqrt\s*\(([^()]*)\)", r"\\sqrt{\1\2}"),
        (r"√\s*(\w+)", r"\\sqrt{\1}"),
        (r"(?<![a-zA-Z\\])(sin|cos|tan|cot|sec|csc|ln|log|exp)(?![a-zA-Z])", r"\\\1 "),
        (r"\^\s*\(([^()]*)\)", r"^{\1}"),
    )
]  # fmt: skip
#: 0.1\overline{6}: the digits before the point, behind it, and those that repeat
REPEATING = re.compile(r"(?<![\d.])(\d{0,20})\.(\d{0,20})\\(?:overline|bar)\s*\{(\d{1,20})\}")
LEAD = re.compile(r"^\\text\s*\{[^{}]*\b(?:is|ist|es|est)\b[\s:]*\}\s*(?=\S)")  # "The answer is" in a box
RAISED = str.maketrans(dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True)))
VULGAR = re.compile(r"(\d?)([½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])")
WRAPPED = re.compile(
    r"\\text\s*\{([^{}]*)\}|\$\$?([^$]*)\$\$?|\\\((.*)\\\)|\\\[(.*)\\\]|\*\*([^*]*)\*\*|`([^`]*)`", re.DOTALL
)


@lru_cache(maxsize=4096)
def tidy(text: str) -> str:
    """An answer in one spelling: without delimiters, with one name per command, symbol and kind of space."""
    if len(text) > MOST:
        return text.strip()
    text = REPEATING.sub(_repeating, LEAD.sub("", text))
    text = VULGAR.sub(lambda found: f"{found[1]} {_vulgar(found[2])}", text.translate(PLAIN))
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda found: f"^{{{found[0].translate(RAISED)}}}", text)
    text = " ".join(unicodedata.normalize("NFKC", text).split())
    before = None
    while before != text:
        before, text = text, trimmed(text)
        if text.endswith("!") and text[-2:-1].isalpha():
            text = text[:-1]
        if whole := WRAPPED.fullmatch(text):
            text = next((part for part in whole.groups() if part is not None), "")
        if text.count("$") == 1 and text[-1] == "$" and not text[:-1].rstrip()[-1:].isdigit():
            text = text[:-1]
    if text.count("$") % 2 == 0:
        text = re.sub(r"(?<!\\)\$", " ", text)
    for pattern, written in SPELLINGS:
        text = pattern.sub(written, text)
    whole = WRAPPED.fullmatch(text.strip())
    return " ".join((whole[1] if whole and whole[1] is not None else text).split())


def _repeating(found: re.Match[str]) -> str:
    """A repeating decimal as a fraction: 0.1666... = (16 - 1) / 90."""
    whole, first, again = found.groups()
    over = int(f"{whole}{first}{again}") - int(f"{whole}{first}" or 0)
    return rf"\frac{{{over}}}{{{10 ** len(first) * (10 ** len(again) - 1)}}}"


def _vulgar(sign: str) -> str:
    return unicodedata.normalize("NFKC", sign).replace("\u2044", "/")
