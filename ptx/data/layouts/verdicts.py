"""Reads the verdict on two replies: which of them is better, or neither.

Files say it in four ways. A word or number names a side (``winner: model_a``, ``better_response_id: 1``,
``preference: 2``, ``A>B``); a signed number is negative where the first one is better (HelpSteer); a flag is
1 where the first one is (SHP); two scores are compared. Which way a column has follows from its name, and for
a column that the user names (``data.columns.verdict``) from its values. A value that could mean either side
is refused with its row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ptx.data import values
from ptx.data.records import Row
from ptx.data.tools import RowError, shown

FIRST, SECOND, EQUAL = 0, 1, -1
#: columns whose value names a side
NAMED = (
    *("winner", "preference", "preferred", "preferred_response", "preferred_side", "choice", "better"),
    *("better_response_id", "safer_response_id", "better_response", "chosen_side", "chosen_response_id"),
)
#: columns whose value is negative where the first reply is better, and positive where the second is
SIGNED = ("overall_preference", "preference_strength")
#: column -> what the replies must be called that a 1 in it stands for the first of
FLAGS = {"labels": "human_ref", "label": "human_ref"}
#: what the user calls it
VERDICT = "verdict"
TIES = ("tie", "ties", "equal", "draw", "same", "both", "both_good", "both_bad", "bothbad", "neither", "none")
#: what stands before the mark of a side: model_a, response_1, assistant A
BEFORE = r"(?:model|response|assistant|answer|output|completion|reply|candidate|option|side)?[ _-]?"
COMPARED = re.compile(r"\[*\s*(\w+?)\s*(>+|<+|=+)\s*(\w+?)\s*\]*")  # Arena-Hard's A>>B


class Two(NamedTuple):
    """The columns of two replies, the marks that tell them apart (``a`` and ``b``), and of the verdict."""

    columns: tuple[str, str]
    marks: tuple[str, str]
    stem: str
    verdict: tuple[str, ...]


Reader = Callable[[Row, Two], int]


def reader_of(two: Two, rows: Sequence[Row]) -> Reader:
    """How the verdict of these columns is read."""
    if len(two.verdict) == 2:
        return by_scores
    if len(two.verdict) == 3:
        return one_hot
    column = two.verdict[0]
    if FLAGS.get(column) == two.stem:
        return flag
    if column in SIGNED or any(_number(row.get(column)) < 0 for row in rows):
        return signed
    return named


def signed(row: Row, two: Two) -> int:
    """Negative: the first reply is better; positive: the second; 0: neither."""
    value = row[two.verdict[0]]
    number = _number(value)
    if number != number:  # noqa: PLR0124 (not a number)
        raise RowError(f"{two.verdict[0]} must be a number, got {shown(value)}", _fix(two))
    return EQUAL if number == 0 else FIRST if number < 0 else SECOND


def flag(row: Row, two: Two) -> int:
    """1: the first reply is better; 0: the second."""
    value = row[two.verdict[0]]
    number = _number(value)
    if number not in (0, 1):
        what = f"{two.verdict[0]} must be 1 ({two.columns[0]} is better) or 0, got {shown(value)}"
        raise RowError(what, _fix(two))
    return FIRST if number == 1 else SECOND


def by_scores(row: Row, two: Two) -> int:
    """The reply with the higher score."""
    first, second = (_number(row[column]) for column in two.verdict)
    for column, number in zip(two.verdict, (first, second), strict=True):
        if number != number:  # noqa: PLR0124 (not a number)
            raise RowError(f"{column} must be a number, got {shown(row[column])}", _fix(two))
    return EQUAL if first == second else FIRST if first > second else SECOND


def one_hot(row: Row, two: Two) -> int:
    """The one of three columns that is 1: the first reply, the second, a tie."""
    said = [_number(row[column]) for column in two.verdict]
    if sorted(said) != [0, 0, 1]:
        got = {column: row[column] for column in two.verdict}
        raise RowError(f"one of {', '.join(two.verdict)} must be 1 and the others 0, got {got}", _fix(two))
    return (FIRST, SECOND, EQUAL)[said.index(1)]


def named(row: Row, two: Two) -> int:
    """The side that a word or a number names."""
    value = row[two.verdict[0]]
    word = _word(value)
    if word in TIES or word.startswith(("tie ", "tie(")):
        return EQUAL
    if compared := COMPARED.fullmatch(word):
        return _compared(compared, value, two)
    if _is_neither(word, two.marks):
        return EQUAL
    for side in (FIRST, SECOND):
        models = [row.get(f"model_{mark}") for mark in (two.marks[side], two.marks[side].lower())]
        if _names(word, two, side) or word in [_word(model) for model in models if model]:
            return side
    raise RowError(_unknown(two, value), _fix(two))


def _compared(found: re.Match[str], value: object, two: Two) -> int:
    left, sign, right = found.groups()
    if {left, right} != {*map(str.lower, two.marks)}:
        raise RowError(_unknown(two, value), _fix(two))
    if sign[0] == "=":
        return EQUAL
    better = left if sign[0] == ">" else right
    return FIRST if better == two.marks[0].lower() else SECOND


def _is_neither(word: str, marks: tuple[str, str]) -> bool:
    """PandaLM writes 0, AlpacaEval 1.5 for a tie between 1 and 2."""
    return marks == ("1", "2") and word in ("0", "1.5")


def _names(word: str, two: Two, side: int) -> bool:
    ordinal = ("first", "second")[side]
    mark = re.escape(two.marks[side].lower())
    return word in (two.columns[side].lower(), ordinal) or bool(re.fullmatch(BEFORE + mark, word))


def _unknown(two: Two, value: object) -> str:
    sides = " or ".join(two.marks)
    return f"{two.verdict[0]} must name a side ({sides}) or be tie, got {shown(value)}"


def _fix(two: Two) -> str:
    first, second = two.columns
    return f"say which of {first} and {second} is better, or delete the row"


def _word(value: Any) -> str:
    return str(value).strip().lower().removesuffix(".0")


def _number(value: Any) -> float:
    """The value as a number; not a number for anything else."""
    found = values.number(value, flags=True)
    return math.nan if found is None else found
