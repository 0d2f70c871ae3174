"""Questions from files of any format that data has: a prompt, and optionally a reference and segments.

A question is in ``prompt``, ``question`` or ``instruction`` (with ``input``), in FastChat's ``turns``
(vicuna_bench, MT-bench's first turns), or in a ``messages`` list that ends with the user. A reference is in
``reference``, ``answer`` or ``output``. Multiple-choice items (``choices``, ``replies``, ``options``) are not
open questions and are skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptx import ConfigError, Problem
from ptx.data.rows import made_of, suffix_of
from ptx.stats.items import item_id

PROMPTS = ("prompt", "question", "instruction")
REFERENCES = ("reference", "answer", "output")
SEGMENTS = ("skill", "language", "difficulty", "category", "domain", "intent", "segment")
FIX = "each row needs a prompt, question, instruction, turns or messages"
CHOICES = ("choices", "replies", "options")


@dataclass(frozen=True)
class Question:
    """One question. ``id`` is made of its content, so it is the same for every model and file."""

    text: str
    reference: str | None = None
    segments: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """A digest of the question and, if there is one, its reference."""
        return item_id(self.text, self.reference)


def files(entries: Sequence[str]) -> list[Path]:
    """The question files that the paths name; for a folder, all its .jsonl files, packed ones too.

    A folder of lm-eval tasks holds their items in such files.
    """
    found: list[Path] = []
    for entry in entries:
        path = Path(entry).expanduser()
        inside = sorted(path.iterdir()) if path.is_dir() else []
        found += [one for one in inside if one.is_file() and suffix_of(one) == ".jsonl"]
        found += [path] if path.is_file() else []
    return found


def problems(entries: Sequence[str]) -> list[Problem]:
    """The problems of the files, with line numbers."""
    found = []
    for entry in entries:
        if not Path(entry).expanduser().exists():
            found.append(
                Problem(f"eval.judge.tasks: no file or folder {entry}", "name a .jsonl file of questions")
            )
        elif not files([entry]):
            found.append(
                Problem(f"eval.judge.tasks: no .jsonl file in {entry}", "name a .jsonl file of questions")
            )
    for path in files(entries):
        try:
            read(path)
        except ConfigError as error:
            found += [Problem(f"eval.judge.tasks: {one.what}", one.fix) for one in error.problems]
    return found


def load(entries: Sequence[str]) -> list[Question]:
    """The distinct questions, ordered by id.

    Ids are digests, so the first N questions are a random sample, the same for every model.
    """
    distinct = {question.id: question for path in files(entries) for question in read(path)}
    return [distinct[key] for key in sorted(distinct)]


def read(path: Path) -> list[Question]:
    """The questions of one file.

    Raises:
        ConfigError: some rows are no questions; by file and line.
    """
    found = made_of(path, lambda record: None if is_choice(record.row) else question(record.row), FIX)
    return [one for one in found if one is not None]


def is_choice(row: dict[str, Any]) -> bool:
    """Whether a row is an item of multiple choice."""
    return any(isinstance(row.get(name), list) for name in CHOICES)


def question(row: dict[str, Any]) -> Question:
    """The question of one row.

    Raises:
        ValueError: the row has none.
    """
    reference = next((str(row[name]) for name in REFERENCES if row.get(name) not in (None, "")), None)
    return Question(
        prompt_of(row),
        reference,
        {name: str(row[name]) for name in SEGMENTS if row.get(name) not in (None, "")},
    )


def prompt_of(row: dict[str, Any]) -> str:
    """The question's text, from whichever columns hold it.

    Raises:
        ValueError: no column does.
    """
    if isinstance(row.get("turns"), list):
        return _only(row["turns"], "turns")
    if isinstance(row.get("messages"), list):
        turns = [turn if isinstance(turn, dict) else {"content": turn} for turn in row["messages"]]
        return _only([turn.get("content") for turn in turns if turn.get("role") != "assistant"], "messages")
    text = next((row[name] for name in PROMPTS if row.get(name)), "")
    parts = [part for part in (text, row.get("input")) if isinstance(part, str) and part.strip()]
    if not parts:
        raise ValueError(
            "no prompt, question, instruction, turns or messages in"
            f" {', '.join(map(str, row)) or 'an empty row'}"
        )
    return "\n\n".join(parts)


def _only(turns: list[Any], name: str) -> str:
    if len(turns) != 1 or not isinstance(turns[0], str) or not turns[0].strip():
        raise ValueError(
            f"{name} must hold one turn of the user, got {len(turns)}; conversations with several turns are"
            " not judged"
        )
    return turns[0]
