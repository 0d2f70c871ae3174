r"""Whether two answers are the same: numbers, formulas, sets, intervals, matrices, choices, words.

The cheap ways come first: equal text after tidying, exact numbers with units, and answers with parts (tuples,
sets, intervals, unions, matrices), part by part. Only formulas that are still undecided go to math-verify
(:mod:`ptx.lm.evaluation.symbolic`), in a process of its own, because nothing else bounds its time. No part of
an answer is ever taken for the whole: ``x^{2}+5`` is not 2, and "5 or 6" is not 6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ptx.lm.evaluation.answers import normal, stated, vote
from ptx.lm.evaluation.quantities import is_unit, quantity, unit_name
from ptx.lm.evaluation.spelling import MOST, tidy
from ptx.lm.evaluation.symbolic import equal_formulas

MOST_FORMULA = 200  # characters, and the digits in a row, of a formula that math-verify may see
MOST_PARTS, DEEPEST = 50, 4

CHOICE = re.compile(r"(?:(?:option|choice|answer)\s+)?[(\[]?([A-J])(?:[)\].:]\)?\s*(.*)|$)", re.DOTALL)
VARIABLE = re.compile(r"(?<![\\a-zA-Z])[a-df-hj-zA-Z](?![a-zA-Z])")  # e and i are numbers
#: a formula, and words or a ``\\text{}`` behind it
MEASURED = re.compile(r"(.*[\w})\]!])(\s*\\text\{.*|\s+[A-Za-z%$€£]{2,}.*|\s*[%°].*)", re.DOTALL)
BASE = re.compile(r"(\d\w*)_\{?(\d+)\}?")
BRACKETS = {"(": ")", "[": "]", "\\{": "\\}", "{": "}"}
CLOSERS = {*BRACKETS.values()}
#: brackets, commands as a whole, and every other character
TOKEN = re.compile(r"\\[{}]|\\[a-zA-Z]+|\\.|.", re.DOTALL)
JOINED = re.compile(r"\s*,?\s*(?:\\text\s*\{\s*(?:and|or|,)\s*\}|\b(?:and|or|und|oder)\b)\s*")
MATRIX = re.compile(
    r"\\begin\{([pbvBV]?matrix|smallmatrix|array)\}(?:\{[lcr|]*\})?(.*)\\end\{\1\}", re.DOTALL
)
ASSIGNED = re.compile(
    r"\s*(\\?[a-zA-Z]+(?:_\{?\w+\}?)?'*(?:\([a-z, ]*\))?"
    r"|\([a-z](?:, ?[a-z])*\))\s*(?:=|\\in(?![a-z]))(?!.*=)(.*)",
    re.DOTALL,
)
RELATION = re.compile(r"[<>]|\\(?:le|ge|ne)(?![a-zA-Z])")
FORMULA = re.compile(r"\d|\\(?!text)|[\^_+*/=<>|]|^[a-zA-Z]$|^[-+]")
PROSE = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{3,}")
WORDS_AND_NUMBERS = re.compile(r"\d[\d:.,-]*[A-Za-z]{2,}")  # 2:30 PM
MIXED = re.compile(r"(-?\d+) and (\d+/\d+)")
ALWAYS_WORDS = {"yes", "no", "true", "false"}


def same(given: str, wanted: str, tolerance: float = 1e-6) -> bool:
    """Whether two answers say the same; ``wanted`` decides what kind of answer it is."""
    ours, theirs = tidy(given), tidy(wanted)
    if not ours or not theirs:
        return False
    return _same(ours, theirs, tolerance, 0)


def ballots(replies: Sequence[str]) -> list[str | None]:
    """For each reply a text that stands for its answer, one for equal answers; None without one."""
    seen: dict[str, str] = {}
    found: list[str | None] = []
    for reply in replies:
        key, given = vote(reply), stated(reply)
        if key and key not in seen:
            key = next((known for known, answer in seen.items() if same(given, answer)), key)
        if key:
            seen.setdefault(key, given)
        found.append(key or None)
    return found


def _same(ours: str, theirs: str, tolerance: float, depth: int) -> bool:  # noqa: PLR0911 (ways in turn)
    if compact(ours) == compact(theirs):
        return True
    if max(len(ours), len(theirs)) > MOST or depth > DEEPEST:
        return False
    if choice := CHOICE.fullmatch(theirs):
        return _same_choice(ours, choice)
    if theirs.casefold() in ALWAYS_WORDS and (first := re.match(r"(\w+)\s*[,;.:!]", ours)):
        return first[1].casefold() == theirs.casefold()
    ours, theirs = _values(ours, theirs)
    left, right = shape(ours), shape(theirs)
    if left.parts and right.parts:
        return _same_parts(left, right, lambda a, b: _same(a, b, tolerance, depth + 1))
    if left.parts and (mixed := MIXED.fullmatch(ours)) and (given := quantity(f"{mixed[1]} {mixed[2]}")):
        wanted = quantity(theirs)  # 2 and 1/2, where a single number is asked for
        return wanted is not None and given.equals(wanted, tolerance)
    if left.parts or right.parts:  # x > 3 and its interval
        return bool(RELATION.search(ours + theirs)) and _equal(ours, theirs)
    return _same_leaf(ours, theirs, tolerance)


def _equal(ours: str, theirs: str) -> bool:
    return formula(ours) and formula(theirs) and equal_formulas(ours, theirs)


def compact(text: str) -> str:
    """The text without what never matters: spaces in formulas, the case of words, punctuation at the ends."""
    if formula(text):
        bare = re.sub(r"(?<!\d)\s+|\s+(?!\d)", "", re.sub(r"([\^_])\{(\w)\}", r"\1\2", text))
        return bare.casefold() if WORDS_AND_NUMBERS.fullmatch(bare) else bare
    return normal(re.sub(r"\\text\s*\{([^{}]*)\}", r" \1 ", text)) or text  # only brackets: as they are


def _same_choice(ours: str, wanted: re.Match[str]) -> bool:
    """The letters decide; a choice that is given by its text alone must have the wanted choice's text."""
    given = CHOICE.fullmatch(ours) or CHOICE.fullmatch(ours.upper() if len(ours) == 1 else ours)
    if given:
        return given[1] == wanted[1]
    return bool(wanted[2]) and normal(ours) == normal(wanted[2])


@dataclass(frozen=True)
class Shape:
    """The parts of an answer: ``kind`` is a pair of brackets, "list", "union", or "matrix RxC"."""

    kind: str = ""
    parts: tuple[str, ...] = ()

    @property
    def ordered(self) -> bool:
        """Whether the order of the parts matters."""
        return self.kind not in ("list", "{}", "union")


def shape(text: str) -> Shape:
    """How an answer is built; one without parts is a single number, formula or word."""
    if matrix := MATRIX.fullmatch(text):
        rows = [row.split("&") for row in re.split(r"\\\\", matrix[2].strip().removesuffix("\\\\"))]
        return Shape(
            f"matrix {len(rows)}x{len(rows[0])}", tuple(cell.strip() for row in rows for cell in row)
        )
    unions = split_at(text, "\\cup")
    if len(unions) > 1:
        return Shape("union", tuple(unions))
    if quantity(text):
        return Shape()
    return _list(text) or _bracketed(text) or Shape()


def _list(text: str) -> Shape | None:
    """The parts of a list: what commas, "and", "or" or a plus-minus sign separate."""
    both = text.split("\\pm")
    if len(both) == 2 and formula(text) and "," not in text:
        return Shape("list", ("+".join(both), "-".join(both)))
    joined = JOINED.sub(", ", text) if formula(JOINED.sub(" ", text)) else text
    parts = split_at(joined, ",", ";")
    if 1 < len(parts) <= MOST_PARTS and (formula(joined) or all(CHOICE.fullmatch(part) for part in parts)):
        return Shape("list", tuple(parts))
    return None


def _bracketed(text: str) -> Shape | None:
    """The parts between one pair of brackets around the text."""
    opening = "\\{" if text.startswith("\\{") else text[:1]
    inside = _inside(text, opening) if opening in BRACKETS else None
    parts = split_at(inside[1], ",", ";") if inside else []
    return Shape(inside[0], tuple(parts)) if inside and (len(parts) > 1 or inside[0] == "{}") else None


def _inside(text: str, opening: str) -> tuple[str, str] | None:
    """(Kind of the brackets, content) if one pair of brackets encloses the text; intervals may mix them."""
    depth, place = 0, 0
    for match in TOKEN.finditer(text):
        depth += (match[0] in BRACKETS) - (match[0] in CLOSERS)
        place = match.start()
        if depth == 0:
            break
    closing = text[place:]
    if depth or closing not in CLOSERS:
        return None
    return f"{opening[-1]}{closing[-1]}", text[len(opening) : place]


def split_at(text: str, *separators: str) -> list[str]:
    """The parts of a text between separators outside of brackets; a comma for thousands does not separate."""
    parts, depth, start = [], 0, 0
    for match in TOKEN.finditer(text):
        depth += (match[0] in BRACKETS) - (match[0] in CLOSERS)
        if depth == 0 and match[0] in separators:
            parts.append(text[start : match.start()].strip())
            start = match.end()
    return [part for part in (*parts, text[start:].strip()) if part]


def _same_parts(left: Shape, right: Shape, equal: Callable[[str, str], bool]) -> bool:
    """Part by part: in order, or in any order for lists, sets and unions; (1,2) is a point or interval."""
    kinds = {left.kind, right.kind}
    if len(left.parts) != len(right.parts) or not (
        len(kinds) == 1 or kinds in ({"list", "()"}, {"list", "{}"})
    ):
        return False
    if left.ordered or right.ordered or len(left.parts) > MOST_PARTS:
        return all(equal(a, b) for a, b in zip(left.parts, right.parts, strict=True))
    return _matched(list(left.parts), right.parts, equal)


def _matched(left: list[str], right: Sequence[str], equal: Callable[[str, str], bool]) -> bool:
    for part in right:
        place = next((place for place, one in enumerate(left) if equal(one, part)), None)
        if place is None:
            return False
        left.pop(place)
    return True


def _values(ours: str, theirs: str) -> tuple[str, str]:
    r"""Both without the name in front that only one has, or that both have: ``x = 5``, ``x \in [1,2]``."""
    a, b = ASSIGNED.fullmatch(ours), ASSIGNED.fullmatch(theirs)
    if a and b:
        return (a[2].strip(), b[2].strip()) if compact(a[1]) == compact(b[1]) else (ours, theirs)
    if a and "=" not in theirs and not RELATION.search(theirs):
        ours = a[2].strip()
    elif b and "=" not in ours and not RELATION.search(ours):
        theirs = b[2].strip()
    left, equals, right = ours.rpartition("=")
    if equals and "=" not in theirs and quantity(theirs) and not VARIABLE.search(left):
        ours = right.strip()  # 3 + 4 = 7 states 7
    return ours, theirs


def _same_leaf(ours: str, theirs: str, tolerance: float) -> bool:
    given, wanted = quantity(ours), quantity(theirs)
    if given and wanted:
        return given.equals(wanted, tolerance)
    if (given and VARIABLE.search(theirs)) or (wanted and VARIABLE.search(ours)):
        return False
    first, second = BASE.fullmatch(ours), BASE.fullmatch(theirs)
    if first or second:  # the base of a number is taken as understood, like a unit, and not exchanged
        return not (first and second) and (first[1] if first else ours) == (second[1] if second else theirs)
    (left, unit), (right, other) = without_unit(ours), without_unit(theirs)
    if unit and other and unit != other:
        return False
    return compact(left) == compact(right) or _equal(left, right)


def without_unit(text: str) -> tuple[str, str]:
    """A formula, and the name of the unit behind it (empty without one)."""
    found = MEASURED.fullmatch(text)
    if not found or not is_unit(found[2].strip(), spaced=found[2][0].isspace()):
        return text, ""
    return found[1], unit_name(found[2].strip())


def formula(text: str) -> bool:
    r"""Whether a text may be a formula: signs of one, no words outside ``\text{}``, a bounded size."""
    if len(text) > MOST_FORMULA or re.search(r"\d{100}", text):
        return False
    bare = re.sub(r"\\text\s*\{[^{}]*\}", "", text)
    return bool(FORMULA.search(bare)) and not PROSE.search(bare)
