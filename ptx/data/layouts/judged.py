"""Rows that hold several replies to one prompt and say which is better: they are read as pairs.

Two layouts, whatever the columns are called. *Two replies and a verdict*: columns that differ by their mark
alone (``response_1`` and ``response_2``, ``conversation_a`` and ``conversation_b``), and a column that names
the better one or scores of both (:mod:`ptx.data.layouts.verdicts`): Chatbot Arena, SHP, HelpSteer,
PKU-SafeRLHF, WebGPT, AlpacaFarm. *A list of graded replies* (Nectar, UltraFeedback, Stack Exchange, OpenAI's
summaries): the best one is paired with the worst, as ``ptx data pairs`` does. Only these columns become
``chosen`` and ``rejected``; all others stay, and are read as those of every other table. A tie makes no pair
and is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ptx.data.bad import BadRows
from ptx.data.layouts.asked import asked, side, spoken
from ptx.data.layouts.verdicts import EQUAL, FLAGS, NAMED, SECOND, SIGNED, VERDICT, Reader, Two, reader_of
from ptx.data.records import Fault, Record, Row, Table
from ptx.data.shapes import PREFERRED
from ptx.data.tools import RowError, shown
from ptx.data.values import number
from ptx.errors import ConfigError, Problem, counted

#: what the columns of two replies are called before their marks
STEMS = (
    *("response", "answer", "output", "completion", "conversation", "reply", "generation", "candidate"),
    *("human_ref", "summary", "solution", "continuation"),
)
#: the marks, and the third one that makes a list of choices of them
MARKS = (("a", "b", "c"), ("A", "B", "C"), ("0", "1", "2"), ("1", "2", "3"))
JOINTS = ("_", "", "-", " ")
#: what the columns of scores of the two replies are called before the same marks
SCORE_STEMS = ("score", "rating", "reward", "grade")
SCORED = ("score_chosen", "score_rejected")

#: columns that hold a list of replies, and the keys of their texts
LISTS = (
    *("answers", "completions", "responses", "generations", "candidates", "outputs", "replies", "summaries"),
    *("all_generated_responses", "generated_responses"),
)
TEXTS = ("answer", "response", "text", "content", "completion", "output", "generated_text", "reply")
#: what grades them, in the objects or in a list beside them: a lower rank is better, a higher score
RANKS = ("rank", "ranks", "ranking", "rankings")
GRADES = (
    *("overall_score", "pm_score", "score", "scores", "rating", "ratings", "reward", "rewards", "grade"),
    *("grades", "all_rm_scores", "rm_scores", "fine-grained_score"),
)
#: columns with the place of the better one of two
BEST = ("choice", "best", "best_index", "chosen_index")
SEEN = 20  # rows that are looked at
#: why a row makes no pair
TIE, UNGRADED = "tie", "row with fewer than two graded replies"


class Listed(NamedTuple):
    """The column of a list of replies, the key of their texts ("" for plain ones), and what grades them."""

    column: str
    text: str
    grade: str
    inside: bool


def is_judged(columns: Sequence[str], shape: str | None) -> bool:
    """Whether a table may be read so: not one that has chosen and rejected, or is meant otherwise."""
    plain = any({*sides} <= set(columns) for sides in PREFERRED)
    return not plain and shape in (None, "pairs", "thumbs", "calibration")


def pairs_of(table: Table, bad: BadRows) -> Table:
    """The table with ``chosen`` and ``rejected``; a table of another kind is returned as it is.

    Raises:
        ConfigError: two columns say which reply is better, or rows have a verdict that says nothing.
    """
    rows = [record.row for record in table.records]
    if two := _two(table, rows[:SEEN]):
        reader = reader_of(two, rows)
        said = f"{two.columns[0]} and {two.columns[1]} by {', '.join(two.verdict)}"
        if (scored := _score_columns(table.columns, two)) and scored != two.verdict:
            said += f", scored by {' and '.join(scored)}"
        return _made(table, bad, lambda row: _of_two(row, two, reader), said)
    if listed := _listed(table.columns, rows[:SEEN]):
        what = "the two" if listed.grade in BEST else "the best and the worst of"
        said = f"{what} {listed.column} by {listed.grade}"
        return _made(table, bad, lambda row: _of_list(row, listed), said, _left_out(rows, listed))
    return table


def replies_of(table: Table, bad: BadRows) -> Table:
    """A table with a row for each reply of a list, its grade as ``score`` (more is better); others as are."""
    rows = [record.row for record in table.records]
    listed = _listed(table.columns, rows[:SEEN])
    if not listed:
        return table
    records: list[Record] = []
    faults: list[Fault] = []
    for record in table.records:
        try:
            records += [record._replace(row=row) for row in _each(record.row, listed)]
        except RowError as fault:
            faults.append(Fault(record, str(fault), fault.fix or "fill it, or delete the row"))
    records = bad.sift(records, faults, len(table.records))
    note = f"a row for each of {listed.column}, with {listed.grade} as score"
    return replace(table, records=records, note="; ".join(filter(None, (table.note, note))))


def _each(row: Row, listed: Listed) -> Iterator[Row]:
    replies, texts, grades = _graded(row, listed)
    prompt, said = asked(row)
    used = (listed.column, *([prompt] if said else []), *([] if listed.inside else [listed.grade]))
    rest = {name: value for name, value in row.items() if name not in used}
    for reply, text, grade in zip(replies, texts, grades, strict=True):
        own = reply if isinstance(reply, dict) else {}
        kept = {key: value for key, value in own.items() if key not in (listed.text, listed.grade)}
        if text and grade is not None:
            yield {**rest, **kept, **said, "completion": text, "score": grade}


def _left_out(rows: Sequence[Row], listed: Listed) -> str:
    """The keys of the replies that nothing reads."""
    items = [item for row in rows for item in row.get(listed.column) or () if isinstance(item, dict)]
    keys = dict.fromkeys(key for item in items for key in item if key not in (listed.text, listed.grade))
    return f"not trained on of {listed.column}: {', '.join(keys)}" if keys else ""


def _made(table: Table, bad: BadRows, make: Callable[[Row], Row | str], said: str, unused: str = "") -> Table:
    """The rows with their sides; those that prefer nothing are counted, and all faults are told at once."""
    records: list[Record] = []
    faults: list[Fault] = []
    left: Counter[str] = Counter()
    for record in table.records:
        try:
            made = make(record.row)
        except RowError as fault:
            faults.append(Fault(record, str(fault), fault.fix or "fill it, or delete the row"))
            continue
        if isinstance(made, str):
            left[made] += 1
        else:
            records.append(record._replace(row=made))
    records = bad.sift(records, faults, len(table.records))
    counts = "".join(f", {counted(number, what)} left out" for what, number in left.items())
    if not records:
        what = f"no row of {table.name} prefers a reply (pairs from {said}{counts})"
        raise ConfigError(Problem(what, "give it rows that prefer one"))
    note = f"pairs from {said}{counts}"
    return replace(table, records=records, note="; ".join(filter(None, (table.note, note, unused))))


def _of_two(row: Row, two: Two, reader: Reader) -> Row | str:
    """The row with its sides."""
    for column in (*two.columns, *two.verdict):
        if row.get(column) is None:
            raise RowError(f"column {column} is {'empty (null)' if column in row else 'missing'}")
    better = reader(row, two)
    if better == EQUAL:
        return TIE
    prompt, said = asked(row)
    talks = [spoken(row.get(prompt), row[column]) for column in two.columns]
    replies = talks if None not in talks else [side(row[column], row.get("turn")) for column in two.columns]
    used = (*two.columns, *two.verdict, *(scored := _score_columns(row, two)))
    used += (prompt,) if said or None not in talks else ()
    scores = [row[column] for column in scored]
    if better == SECOND:
        replies, scores = replies[::-1], scores[::-1]
    return {
        **(said if None in talks else {}),
        **dict(zip(("chosen", "rejected"), replies, strict=True)),
        **{name: value for name, value in row.items() if name not in used},
        **dict(zip(SCORED, scores, strict=False)),
    }


def _score_columns(columns: Container[str], two: Two) -> tuple[str, ...]:
    """The columns of the scores of both replies, if there are any."""
    pairs = [tuple(f"{stem}{joint}{mark}" for mark in two.marks) for stem in SCORE_STEMS for joint in JOINTS]
    return next((pair for pair in pairs if all(name in columns for name in pair)), ())


def _of_list(row: Row, listed: Listed) -> Row | str:
    """The row with the best and the worst of its replies as its sides."""
    _, texts, grades = _graded(row, listed)
    graded = [(grade, text) for grade, text in zip(grades, texts, strict=True) if text and grade is not None]
    if len(graded) < 2:
        return UNGRADED
    best, worst = max(graded, key=lambda one: one[0]), min(graded, key=lambda one: one[0])
    if best[0] == worst[0]:
        return TIE
    prompt, said = asked(row)
    used = (listed.column, *([prompt] if said else []), *([] if listed.inside else [listed.grade]))
    told = listed.grade not in (*BEST, *RANKS)
    return {
        **said,
        "chosen": best[1],
        "rejected": worst[1],
        **{name: value for name, value in row.items() if name not in used},
        **(dict(zip(SCORED, (best[0], worst[0]), strict=True)) if told else {}),
    }


def _graded(row: Row, listed: Listed) -> tuple[list[Any], list[Any], list[float | None]]:
    """The replies of a row, their texts and their grades."""
    replies = row.get(listed.column)
    if not isinstance(replies, list):
        raise RowError(f"column {listed.column} must be a list of replies, got {shown(replies)}")
    texts = [one.get(listed.text) if isinstance(one, dict) else one for one in replies]
    return replies, texts, _grades(row, listed, replies)


def _grades(row: Row, listed: Listed, replies: list[Any]) -> list[float | None]:
    """A number for each reply, more is better; none for a reply without one."""
    if listed.grade in BEST:
        place = row.get(listed.grade)
        if place not in (0, 1) or len(replies) != 2:
            raise RowError(f"{listed.grade} must be 0 or 1 and {listed.column} hold two, got {place!r:.40}")
        return [float(here == place) for here in range(2)]
    said = (
        [one.get(listed.grade) if isinstance(one, dict) else None for one in replies]
        if listed.inside
        else row.get(listed.grade)
    )
    if not isinstance(said, list) or len(said) != len(replies):
        raise RowError(f"{listed.grade} must hold a grade for each of {listed.column}")
    sign = -1 if listed.grade in RANKS else 1
    grades = [number(value, flags=True) for value in said]
    return [None if grade is None else sign * grade for grade in grades]


def _two(table: Table, rows: Sequence[Row]) -> Two | None:
    """The two replies and what judges them; nothing where there are not two, or nothing judges them."""
    columns = set(table.columns)
    for found, marks, stem in _sides(columns):
        verdicts = [*_verdicts(columns, marks, stem, rows)]
        if VERDICT in columns:
            verdicts = [(VERDICT,)]
        if len(verdicts) > 1:
            words = " or ".join(f"data.columns.{VERDICT}={one[0]}" for one in verdicts)
            what = f"{table.name}: {' and '.join(one[0] for one in verdicts)} both judge {found[0]} and"
            raise ConfigError(Problem(f"{what} {found[1]}", f"say which one is meant: {words}"))
        if verdicts:
            return Two(found, marks, stem, verdicts[0])
    return None


def _sides(columns: set[str]) -> Iterator[tuple[tuple[str, str], tuple[str, str], str]]:
    for stem in STEMS:
        for joint in JOINTS:
            for first, second, third in MARKS:
                pair = (f"{stem}{joint}{first}", f"{stem}{joint}{second}")
                if {*pair} <= columns and f"{stem}{joint}{third}" not in columns:
                    yield pair, (first, second), stem


def _verdicts(
    columns: set[str], marks: tuple[str, str], stem: str, rows: Sequence[Row]
) -> Iterator[tuple[str, ...]]:
    """What says which is better; scores count where nothing else does."""
    found: list[tuple[str, ...]] = [(name,) for name in (*NAMED, *SIGNED) if name in columns]
    found += [(name,) for name, of in FLAGS.items() if name in columns and of == stem]
    hot = (*(f"winner_model_{mark}" for mark in marks), "winner_tie")
    found += [hot] if {*hot} <= columns else []
    if "label" in columns and all(isinstance(row.get("label"), str) for row in rows) and not found:
        found += [("label",)] if any(sign in str(rows[0]["label"]) for sign in "<>=") else []
    two = Two(("", ""), marks, stem, ())
    yield from found or ([scores] if (scores := _score_columns(columns, two)) else [])


def _listed(columns: Sequence[str], rows: Sequence[Row]) -> Listed | None:
    """The list of graded replies of a table, if it has one."""
    for column in LISTS:
        lists = [row[column] for row in rows if isinstance(row.get(column), list)]
        items = [item for one in lists for item in one]
        if column not in columns or not items:
            continue
        keys = {key for item in items if isinstance(item, dict) for key in item}
        text = next((key for key in TEXTS if key in keys), "")
        if bool(text) == all(isinstance(item, str) for item in items):
            continue
        inside = next((key for key in (*RANKS, *GRADES) if text and key in keys), "")
        beside = next((name for name in (*RANKS, *GRADES) if name in columns and _is_list(rows, name)), "")
        best = next((name for name in BEST if name in columns), "")
        if grade := inside or beside or best:
            return Listed(column, text, grade, bool(inside))
    return None


def unnamed_verdict(table: Table) -> str:
    """The column that judges two replies under a name that is not known, for a message; "" for none."""
    rows = [record.row for record in table.records[:SEEN]]
    for found, marks, stem in _sides(set(table.columns)):
        for column in table.columns:
            two = Two(found, marks, stem, (column,))
            if column not in found and all(_judges(row, two, reader_of(two, rows)) for row in rows):
                return column
    return ""


def _judges(row: Row, two: Two, reader: Reader) -> bool:
    try:
        reader(row, two)
    except (RowError, KeyError):
        return False
    return True


def _is_list(rows: Sequence[Row], column: str) -> bool:
    return all(isinstance(row.get(column), list | None) for row in rows)
