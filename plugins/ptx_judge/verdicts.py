"""Verdicts on pairs of answers from files: of people, and of judges that were asked earlier.

The columns are PandaLM's (Wang et al. 2023), in any format that data has: ``idx``, ``instruction`` and
``input`` (or any form of question that ``eval.judge.tasks`` takes), ``response1``, ``response2`` and a column
per person, ``annotator1``, ...: 1, 2, or 0 for a tie. A file with ``idx`` and a column ``NAME_result`` holds
the verdicts of a judge.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ptx import ConfigError, Problem
from ptx.data.rows import Record, made_of, rows_of, suffix_of
from ptx_judge.questions import prompt_of

FIRST, SECOND, TIE = "1", "2", "0"
LABELS = (FIRST, SECOND, TIE)
PERSON, RESULT = "annotator", "_result"
RESPONSES = ("response1", "response2")
FIX = "a row has instruction, response1, response2, annotator1, ... (1, 2, or 0 for a tie)"


@dataclass(frozen=True)
class Pair:
    """Two answers, and each person's verdict on them."""

    idx: str
    question: str
    answers: tuple[str, str]
    labels: tuple[str, ...]

    @property
    def majority(self) -> str | None:
        """The verdict of more than half of the people; None if no verdict has that many."""
        label, count = Counter(self.labels).most_common(1)[0]
        return label if 2 * count > len(self.labels) else None


@dataclass(frozen=True)
class Stored:
    """A judge's verdicts by pair; any other than 1, 2 and 0 (or "tie") is left out and counted."""

    name: str
    labels: dict[str, str]
    unreadable: int


def load(path: Path) -> tuple[Path, list[str], list[Pair], list[Stored]]:
    """(File of the human verdicts, names of the people, pairs, judges) from a file or a folder.

    Raises:
        ConfigError: there are no human verdicts, or more than one file of them.
    """
    if not path.exists():
        raise ConfigError(
            Problem(f"no file or folder {path}", "give a file of human verdicts, or a folder with one")
        )
    inside = [one for one in sorted(path.glob("*")) if suffix_of(one) in (".json", ".jsonl")]
    tables = {one: rows_of(one) for one in (inside if path.is_dir() else [path])}
    human = [one for one, rows in tables.items() if _persons(rows)]
    if len(human) != 1:
        raise ConfigError(
            Problem(
                f"{path} must hold one file of human verdicts, found {len(human)}",
                FIX,
            )
        )
    persons = _persons(tables[human[0]])
    pairs = made_of(human[0], lambda record: _pair(record, persons), FIX)
    judges = [judge for one, rows in tables.items() if one != human[0] for judge in _judges(rows)]
    return human[0], persons, pairs, judges


def _persons(rows: list[Record]) -> list[str]:
    return sorted(name for name in rows[0].row if name.startswith(PERSON))


def _pair(record: Record, persons: list[str]) -> Pair:
    row = record.row
    labels = tuple(str(row.get(person)) for person in persons)
    if missing := [name for name in RESPONSES if row.get(name) is None]:
        raise ValueError(f"there is no {missing[0]}")
    if wrong := set(labels) - set(LABELS):
        raise ValueError(f"a verdict must be 1, 2 or 0 (a tie), got {', '.join(sorted(wrong))}")
    first, second = (str(row[name]) for name in RESPONSES)
    return Pair(str(row.get("idx", record.line)), prompt_of(row), (first, second), labels)


def label_of(said: object) -> str:
    """A verdict in the form of the labels, as far as it can be read as one."""
    text = str(said).strip().lower()
    return TIE if text == "tie" else text


def _judges(records: list[Record]) -> list[Stored]:
    rows = [record.row for record in records]
    names = [name for name in rows[0] if name.endswith(RESULT)]
    found = []
    for name in names:
        said = {str(row["idx"]): label_of(row.get(name)) for row in rows if "idx" in row}
        readable = {idx: label for idx, label in said.items() if label in LABELS}
        found.append(Stored(name.removesuffix(RESULT), readable, len(said) - len(readable)))
    return found
