"""Columns that are there and not used as they are meant: misspelt names, and verdicts that no step reads."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from ptx.data.dataset import Source
from ptx.data.labels import PAIRS
from ptx.data.names import COMPANIONS, MESSAGE_KEYS, REASONING, TRAINED_IF
from ptx.data.records import Record, column_word, finding, of_all
from ptx.data.shapes import CONTEXTS, FEEDBACK, LABELS, has_value
from ptx.data.values import number
from ptx.errors import Problem

CLOSE = 0.8  # likeness from which on a name is taken for a misspelt one
#: part -> the columns that it is read from
MEANT = {
    **{name: part for part, names in COMPANIONS.items() for name in names},
    **dict.fromkeys(CONTEXTS, "context"),
    **dict.fromkeys(LABELS, "label"),
}
KEYS = (*MESSAGE_KEYS, *TRAINED_IF, *REASONING)
OF_MESSAGES = " of messages"
#: columns that say whether a reply is liked, beside those that make a row a thumb
VERDICTS = (*LABELS, *FEEDBACK, "is_good", "approved", "status")
DISLIKED = {pair[1] for pair in PAIRS}


def misused(source: Source, shape: str) -> Iterator[Problem]:
    """What the columns show that no training on ``shape`` reads."""
    for name in source.unused:
        yield from _misspelt(name)
    yield from _held_out(source)
    yield from _headers(source)
    if shape in ("messages", "completions"):
        yield from _disliked(source)
        if column := graded_by(source):
            said = f"{column} grades several replies to one prompt, and all of them are imitated"
            words = f"data={source.table.path or source.table.name} score={column} out=./pairs.jsonl"
            fix = f"ptx data pairs {words} pairs the best with the worst"
            yield of_all("graded-imitated", said, fix)


def _misspelt(name: str) -> Iterator[Problem]:
    key = name.removesuffix(OF_MESSAGES)
    if key != name:
        close = difflib.get_close_matches(key, KEYS, n=1, cutoff=CLOSE)
        fix = f"did you mean {close[0]!r}?" if close else ""
    else:
        close = difflib.get_close_matches(name.lower(), [*MEANT], n=1, cutoff=CLOSE)
        fix = f"did you mean {close[0]!r}? {column_word(MEANT[close[0]], name)}" if close else ""
    if close and key.lower() not in (*KEYS, *MEANT):
        yield of_all("misspelt-column", f"{name} is not used", fix)


def _disliked(source: Source) -> Iterator[Problem]:
    """Replies that a column of verdicts calls bad, which an imitation would learn as well."""
    records = source.table.records
    for name in VERDICTS:
        if name in source.form.used or name not in source.table.columns:
            continue
        bad = [record for record in records if _is_disliked(record, name)]
        if bad:
            said = f"{name} says that the reply is disliked, and it is imitated"
            yield finding("disliked-imitated", bad, said, len(records))


#: columns of numbers that grade a reply; where a row has several, the first of them is proposed
GRADES = ("helpfulness", "overall_score", "score", "rating", "quality", "reward", "grade", "stars")


def graded_by(source: Source) -> str:
    """The column that grades several replies to the same prompt; "" for none."""
    prompt = source.form.parts.get("prompt", "")
    for name in GRADES if prompt else ():
        if name in source.form.used or name not in source.table.columns:
            continue
        grades: dict[str, set[object]] = {}
        for row in (record.row for record in source.table.records):
            if (grade := number(row.get(name))) is not None:
                grades.setdefault(repr(row.get(prompt)), set()).add(grade)
        if any(len(found) > 1 for found in grades.values()):
            return name
    return ""


def _is_disliked(record: Record, name: str) -> bool:
    value = record.row.get(name)
    return has_value(value) and _word(value) in DISLIKED


#: columns that say what a row is for
PARTITIONS = ("split", "subset", "partition", "fold")
HELD_OUT = ("test", "val", "valid", "validation", "dev", "eval", "evaluation", "holdout", "held-out")


def _held_out(source: Source) -> Iterator[Problem]:
    """Rows that a column keeps for a test, among those that are trained."""
    records = source.table.records
    for name in PARTITIONS:
        if name not in source.table.columns:
            continue
        kept = [record for record in records if _word(record.row.get(name)) in HELD_OUT]
        if kept and name not in source.form.used:
            said = f"{name} keeps the row for {_word(kept[0].row[name])}, and it is trained"
            yield finding("held-out-trained", kept, said, len(records))


def _headers(source: Source) -> Iterator[Problem]:
    """Rows that are the header of a table: exports were joined."""
    columns = [*source.form.parts.values()]
    records = [record for record in source.table.records if record.row.get(columns[0]) == columns[0]]
    found = [record for record in records if all(record.row.get(name) == name for name in columns)]
    if found and len(columns) > 1:
        said = f"the row is the header of a table ({', '.join(columns)})"
        yield finding("header-row", found, said, len(source.table.records))


def _word(value: object) -> str:
    return str(value).strip().lower().removesuffix(".0")
