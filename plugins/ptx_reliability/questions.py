"""Read questions from files, and check them.

========================  ============================================  ============================
column                    content                                       parts that use it
========================  ============================================  ============================
prompt                    text, or messages                             all
answer                    the right answer, text or number              hallucination,
                                                                        self-consistency
answerable                false if the right reply is to decline        hallucination
sources                   a list of texts, or an object id -> text      citations; hallucination if
                                                                        there is no answer
cites                     ids of the sources that hold the answer       citations, instead of the
                                                                        scorer
schema                    a JSON schema that the reply must satisfy     format
pattern                   a regular expression for the whole reply      format
instruction_id_list       IFEval's, with kwargs                         instructions
language, domain, ...     segments
========================  ============================================  ============================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema

from ptx import ConfigError, Problem, did_you_mean
from ptx.data.rows import Record, made_of
from ptx.guard.patterns import of_user
from ptx.stats.items import SEGMENTS, item_id
from ptx_reliability import EMBEDDED, Reliability
from ptx_reliability.grounded import with_sources

DOCS = "`ptx docs reliability` has the columns"


@dataclass(frozen=True)
class Question:
    """One row: the question, and everything needed to check the reply."""

    turns: list[dict[str, str]]
    answer: str | None = None
    answerable: bool = True
    sources: dict[str, str] = field(default_factory=dict)
    cites: list[str] = field(default_factory=list)
    schema: Any = None
    pattern: str | None = None
    instructions: dict[str, Any] | None = None  # IFEval's row
    segments: dict[str, str] = field(default_factory=dict)
    place: str = field(default="", compare=False)  # file and line, for errors

    @property
    def id(self) -> str:
        """A digest of the question and of everything that decides whether a reply is right."""
        instructions = self.instructions and (
            self.instructions["instruction_id_list"],
            self.instructions["kwargs"],
        )
        right = (
            self.answer,
            self.answerable,
            self.sources,
            self.cites,
            self.schema,
            self.pattern,
            instructions,
        )
        return item_id(self.turns, *right)

    @property
    def has_reference(self) -> bool:
        """Whether an unsupported reply can be detected."""
        return self.answer is not None or not self.answerable or bool(self.sources)


def read_questions(file: Path) -> list[Question]:
    """The distinct questions of a file.

    Raises:
        ConfigError: with every row that is wrong, by file and line.
        OSError: there is no such file.
    """
    return list({one.id: one for one in reversed(made_of(file, _question, DOCS))}.values())[::-1]


def questions_of(config: Reliability) -> list[Question]:
    """The distinct questions of the given files, up to the limit."""
    found = {
        question.id: question
        for entry in config.questions
        for question in read_questions(EMBEDDED if entry == "embedded" else Path(entry))
    }
    return list(found.values())[: config.limit]


def problems(config: Reliability) -> list[Problem]:
    """The problems of the files, with line numbers."""
    try:
        questions = questions_of(config)
    except OSError as error:
        return [
            Problem(
                f"eval.reliability.questions: {error.strerror}: {error.filename}",
                "give files of questions, or embedded",
            )
        ]
    except ConfigError as error:
        return [Problem(f"eval.reliability.questions: {one.what}", one.fix) for one in error.problems]
    if not any(q.has_reference or q.schema is not None or q.pattern or q.instructions for q in questions):
        what = (
            "eval.reliability.questions: no row has an answer, sources, a schema, a pattern or instructions,"
            " so nothing can be checked"
        )
        return [Problem(what, DOCS)]
    return []


def _question(record: Record) -> Question:
    row = record.row
    answer, sources = row.get("answer"), _sources(row.get("sources"))
    if answer is not None and (isinstance(answer, bool) or not isinstance(answer, str | int | float)):
        raise ValueError(f"answer must be text or a number, got {answer!r}")
    cites = [str(name) for name in row.get("cites") or []]
    if unknown := [name for name in cites if name not in sources]:
        raise ValueError(f"cites names {unknown[0]!r}, which is not one of the sources {', '.join(sources)}")
    answerable = row.get("answerable", True)
    if not isinstance(answerable, bool):
        raise ValueError(f"answerable must be true or false, got {answerable!r}")  # noqa: TRY004 (as others)
    return Question(
        _turns(row.get("prompt"), sources),
        None if answer is None else str(answer),
        answerable,
        sources,
        cites,
        _schema(row.get("schema")),
        _pattern(row.get("pattern")),
        _instructions(row),
        {name: str(row[name]) for name in SEGMENTS if row.get(name) not in (None, "")},
        record.place,
    )


def _turns(prompt: Any, sources: Mapping[str, str]) -> list[dict[str, str]]:
    turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    right = (
        isinstance(turns, list)
        and turns
        and all(isinstance(t, dict) and isinstance(t.get("content"), str) for t in turns)
    )
    if not right or not str(turns[-1]["content"]).strip():
        raise ValueError(f"prompt must be text or messages, got {prompt!r}")
    *before, last = turns
    return [*before, {**last, "content": with_sources(last["content"], sources)}]


def _sources(given: Any) -> dict[str, str]:
    found = (
        {str(place): text for place, text in enumerate(given, 1)} if isinstance(given, list) else given or {}
    )
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise ValueError(f"sources must be a list of texts, or an object of ids and texts, got {given!r}")
    return {str(name): text for name, text in found.items()}


def _schema(schema: Any) -> Any:
    if schema is None:
        return None
    try:
        jsonschema.validators.validator_for(schema).check_schema(schema)
    except (jsonschema.SchemaError, TypeError) as error:
        raise ValueError(f"schema is not a JSON schema: {str(error).splitlines()[0]}") from error
    return schema


def _pattern(pattern: Any) -> str | None:
    if pattern is None:
        return None
    return str(of_user(pattern, "pattern", "'[A-D]'").pattern)


def _instructions(row: Mapping[str, Any]) -> dict[str, Any] | None:
    names = row.get("instruction_id_list")
    if names is None:
        return None
    from ptx_reliability.instructions import known

    for name in names:
        if name not in known():
            raise ValueError(
                f"instruction_id_list: lm-eval knows no instruction {name!r};"
                f" {did_you_mean(str(name), sorted(known()))}"
            )
    kwargs = row.get("kwargs")
    if not isinstance(kwargs, list) or len(kwargs) != len(names):
        raise ValueError(
            f"kwargs must be a list with one object for each of the {len(names)} instructions, got {kwargs!r}"
        )
    return {
        "key": row.get("key", 0),
        "prompt": row["prompt"],
        "instruction_id_list": list(names),
        "kwargs": kwargs,
    }


def counts(questions: list[Question]) -> Iterator[tuple[str, int]]:
    """(Part, number of questions that have the columns it needs)."""
    yield "hallucination", sum(question.has_reference for question in questions)
    yield "citations", sum(bool(question.sources) for question in questions)
    yield "format", sum(question.schema is not None or question.pattern is not None for question in questions)
    yield "instructions", sum(question.instructions is not None for question in questions)
    yield "self-consistency", sum(question.answer is not None for question in questions)
