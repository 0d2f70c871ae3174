"""Reads the labels of a column as true or false, where what is written can mean only that.

Labels come as true/false, 1/0, 1/-1, yes/no, good/bad and the like. The column decides, not the cell: 0 is
false beside 1, and unknown beside 1 and -1. What was taken for what is said in the description of the data. A
word that is in no list, or a scale of numbers, is refused with its rows: a threshold would be a guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ptx.data.records import Fault, Record

#: what is true, and what is false beside it
PAIRS: tuple[tuple[str, str], ...] = (
    ("true", "false"),
    ("1", "0"),
    ("1", "-1"),
    ("yes", "no"),
    ("wahr", "falsch"),  # as spreadsheets write it in other languages
    ("vrai", "faux"),
    ("verdadero", "falso"),
    ("verdadeiro", "falso"),
    ("vero", "falso"),
    ("ja", "nein"),
    ("oui", "non"),
    ("y", "n"),
    ("t", "f"),
    ("good", "bad"),
    ("like", "dislike"),
    ("liked", "disliked"),
    ("up", "down"),
    ("thumbs_up", "thumbs_down"),
    ("thumbs up", "thumbs down"),
    ("👍", "👎"),
    ("positive", "negative"),
    ("desirable", "undesirable"),
    ("chosen", "rejected"),
    ("accept", "reject"),
    ("accepted", "rejected"),
    ("correct", "incorrect"),
    ("correct", "wrong"),
    ("right", "wrong"),
    ("helpful", "unhelpful"),
    ("pass", "fail"),
)
#: column -> further pairs, whose first word is true in that column only
PAIRS_OF = {
    "harmful": (("harmful", "harmless"), ("harmful", "benign"), ("unsafe", "safe"), ("harmful", "safe")),
}
FIX = "write true or false"


def read_labels(part: str, column: str, records: Sequence[Record]) -> tuple[list[Record], list[Fault], str]:
    """The records with truth values in ``column``, the rows whose label is none, and what was taken for what.

    ``part`` is the part that the column plays: ``label``, or ``harmful``, where other words are known too.
    """
    words = [_word(record.row.get(column)) for record in records]
    meaning = _meaning(part, set(words) - {""})
    wrong = [
        Fault(record, f"{column} must be true or false, got {record.row.get(column)!r:.60}", FIX)
        for record, word in zip(records, words, strict=True)
        if word and word not in meaning
    ]
    if wrong:
        return list(records), wrong, ""
    read = [
        record._replace(row={**record.row, column: meaning[word]}) if word else record
        for record, word in zip(records, words, strict=True)
    ]
    counts = Counter(
        word for record, word in zip(records, words, strict=True) if word and _is_other(record, column)
    )
    taken = [f"{word} taken for {str(meaning[word]).lower()} ({count})" for word, count in counts.items()]
    return read, [], f"{column}: {', '.join(taken)}" if taken else ""


def _is_other(record: Record, column: str) -> bool:
    return not isinstance(record.row.get(column), bool)


def _word(value: object) -> str:
    """A label as a word: 1.0 and "1" are both 1; nothing for a missing one."""
    if value is None:
        return ""
    text = str(value).strip().lower().removeprefix("+")
    return text.removesuffix(".0")


def _meaning(part: str, words: set[str]) -> dict[str, bool]:
    """Word -> what it means; empty where one of the words could mean something else beside the others."""
    if {"0", "-1"} <= words:
        return {}
    pairs = (*PAIRS, *PAIRS_OF.get(part, ()))
    return {word: word == pair[0] for pair in pairs for word in pair if word in words}
