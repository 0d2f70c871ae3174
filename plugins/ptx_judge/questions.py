"""Questions from files: JSON lines (or a JSON list) with a prompt, and optionally a reference and segments.

A question is in ``prompt``, ``question`` or ``instruction`` (with ``input``), in FastChat's ``turns``
(vicuna_bench, MT-bench's first turns), or in a ``messages`` list that ends with the user. A reference is in
``reference``, ``answer`` or ``output``. Multiple-choice items (``choices``, ``replies``, ``options``) are not
open questions and are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptx import Problem
from ptx.guard.reading import MOST_DATA, read_text
from ptx.stats.items import item_id

PROMPTS = ("prompt", "question", "instruction")
REFERENCES = ("reference", "answer", "output")
SEGMENTS = ("skill", "language", "difficulty", "category", "domain", "intent", "segment")
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
    """The question files that the paths name; for a folder, all its .jsonl files.

    A folder of lm-eval tasks holds their items in such files.
    """
    found: list[Path] = []
    for entry in entries:
        path = Path(entry).expanduser()
        found += sorted(path.glob("*.jsonl")) if path.is_dir() else [path] if path.is_file() else []
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
            list(read(path))
        except ValueError as error:
            found.append(
                Problem(
                    f"eval.judge.tasks: {error}",
                    "each line needs a prompt, question, instruction, turns or messages",
                )
            )
    return found


def load(entries: Sequence[str]) -> list[Question]:
    """The distinct questions, ordered by id.

    Ids are digests, so the first N questions are a random sample, the same for every model.
    """
    distinct = {question.id: question for path in files(entries) for question in read(path)}
    return [distinct[key] for key in sorted(distinct)]


def read(path: Path) -> Iterator[Question]:
    """The questions of one file.

    Raises:
        ValueError: a row is not a question; the text names file and line.
    """
    for place, row in _rows(path):
        if isinstance(row, dict) and any(isinstance(row.get(name), list) for name in CHOICES):
            continue
        try:
            yield question(row)
        except ValueError as error:
            raise ValueError(f"{path}:{place}: {error}") from error


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    text = read_text(path, MOST_DATA)
    if path.suffix == ".json":
        try:
            rows = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is not JSON: {error}") from error
        if not isinstance(rows, list):
            raise ValueError(f"{path} holds a {type(rows).__name__}, not a list of questions")
        yield from enumerate(rows, 1)
        return
    for place, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield place, json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}:{place} is not JSON: {error.msg}") from error


def question(row: Any) -> Question:
    """The question of one row.

    Raises:
        ValueError: the row has none.
    """
    if not isinstance(row, dict):
        # callers handle one kind of error
        raise ValueError(f"a row must be an object, got {type(row).__name__}")  # noqa: TRY004
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
        return _only(
            [turn.get("content") for turn in row["messages"] if turn.get("role") != "assistant"], "messages"
        )
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
