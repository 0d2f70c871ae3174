"""Verdicts on pairs of answers from files: of people, and of judges that were asked earlier.

The format is PandaLM's (Wang et al. 2023): a JSON list (or JSON lines) with ``idx``, ``instruction`` and
``input`` (or any form of question that ``eval.judge.tasks`` takes), ``response1``, ``response2`` and a column
per person, ``annotator1``, ...: 1, 2, or 0 for a tie. A file with ``idx`` and a column ``NAME_result`` holds
the verdicts of a judge.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx import ConfigError, Problem
from ptx.guard.reading import MOST_DATA, read_text
from ptx_judge.questions import prompt_of

FIRST, SECOND, TIE = "1", "2", "0"
LABELS = (FIRST, SECOND, TIE)
PERSON, RESULT = "annotator", "_result"


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
    paths = sorted(path.glob("*.json*")) if path.is_dir() else [path]
    if not path.exists():
        raise ConfigError(
            Problem(f"no file or folder {path}", "give a file of human verdicts, or a folder with one")
        )
    tables = {one: _rows(one) for one in paths}
    human = [one for one, rows in tables.items() if _persons(rows)]
    if len(human) != 1:
        raise ConfigError(
            Problem(
                f"{path} must hold one file of human verdicts, found {len(human)}",
                "its rows have instruction, response1, response2, annotator1, ... (1, 2, or 0 for a tie)",
            )
        )
    persons = _persons(tables[human[0]])
    pairs = [_pair(human[0], place, row, persons) for place, row in enumerate(tables[human[0]], 1)]
    judges = [judge for one, rows in tables.items() if one != human[0] for judge in _judges(rows)]
    return human[0], persons, pairs, judges


def _rows(path: Path) -> list[dict[str, Any]]:
    text = read_text(path, MOST_DATA)
    try:
        rows = (
            json.loads(text)
            if path.suffix == ".json"
            else [json.loads(line) for line in text.splitlines() if line.strip()]
        )
    except json.JSONDecodeError as error:
        raise ConfigError(Problem(f"{path} is not JSON: {error}")) from error
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _persons(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(name for name in (rows[0] if rows else {}) if name.startswith(PERSON))


def _pair(path: Path, place: int, row: dict[str, Any], persons: list[str]) -> Pair:
    labels = tuple(str(row.get(person)) for person in persons)
    try:
        question, answers = prompt_of(row), (str(row["response1"]), str(row["response2"]))
    except (KeyError, ValueError) as error:
        raise ConfigError(
            Problem(f"{path}, row {place}: {error}", "a row has instruction, response1 and response2")
        ) from error
    if wrong := set(labels) - set(LABELS):
        raise ConfigError(
            Problem(
                f"{path}, row {place}: a verdict must be 1, 2 or 0 (a tie), got {', '.join(sorted(wrong))}"
            )
        )
    return Pair(str(row.get("idx", place)), question, answers, labels)


def label_of(said: object) -> str:
    """A verdict in the form of the labels, as far as it can be read as one."""
    text = str(said).strip().lower()
    return TIE if text == "tie" else text


def _judges(rows: list[dict[str, Any]]) -> list[Stored]:
    names = [name for name in (rows[0] if rows else {}) if name.endswith(RESULT)]
    found = []
    for name in names:
        said = {str(row["idx"]): label_of(row.get(name)) for row in rows if "idx" in row}
        readable = {idx: label for idx, label in said.items() if label in LABELS}
        found.append(Stored(name.removesuffix(RESULT), readable, len(said) - len(readable)))
    return found
