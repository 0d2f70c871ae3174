"""Finds mistakes in rows that can be read, before training: with most of them training would not fail.

A mistake is fatal (a :class:`~ptx.errors.Problem`) when it makes every result meaningless: identical sides of
a pair, a single label, empty replies, an unknown role, numbers in place of texts. What may be intended is a
note (:mod:`ptx.data.suspect`, :mod:`ptx.data.whole`). Either is told once for each kind, with the number of
rows and the places of the first few.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from ptx.data.dataset import DataSet, Source
from ptx.data.records import KINDS, Fault, Record, Row, findings, kind_of
from ptx.data.shapes import COLUMNS
from ptx.data.suspect import LONG, Sign, Texts, signs, texts_of
from ptx.data.tools import shown
from ptx.data.turns import ROLES, is_turns
from ptx.data.whole import notes
from ptx.errors import Problem, did_you_mean

Wrong = tuple[str, str]  # what is wrong, how to correct it
INVISIBLE = " \t\r\n\u200b\u200c\u200d\u2060\ufeff\xa0"


def check(dataset: DataSet, shape: str) -> tuple[list[Problem], list[str]]:
    """Problems (fatal) and notes on the rows of ``shape``.

    Each kind is reported once, with the number of rows and the places of the first ones.
    """
    found: tuple[list[Problem], list[str]] = dataset.once("check", shape, lambda: _check(dataset, shape))
    return found


def _check(dataset: DataSet, shape: str) -> tuple[list[Problem], list[str]]:
    source = dataset.sources[shape]
    if shape != source.form.shape:
        problems = dataset.once("unreadable", source.form.shape, lambda: _unreadable(source))
        if problems:
            return problems, []
    records = dataset.located(shape)
    problems = _problems(dataset, shape, records)
    if problems or shape == "calibration":
        return problems, []
    texts = [texts_of(shape, record.row) for record in records]
    signs_ = _signs(dataset, source, shape, records, texts)
    return [], [*signs_, *notes(shape, records, texts, source.form.parts)]


def no_rows(dataset: DataSet, shape: str) -> Problem:
    """What is said of a shape that none of the rows gives."""
    return Problem(f"{dataset.name} gives no rows of shape {shape}", "give it at least one")


def _unreadable(source: Source) -> list[Problem]:
    """The values of the file that are no text: no other shape follows from them."""
    names = [name for name in COLUMNS[source.form.shape] if name not in ("answer", "label", "harmful")]
    faults = [
        Fault(record, *wrong)
        for record in source.records
        for name in names
        for wrong in _value(name, record.row[name])
    ]
    return findings(faults, len(source.records))


def _signs(
    dataset: DataSet, source: Source, shape: str, records: list[Record], texts: list[Texts]
) -> list[str]:
    """Looked for once in the rows of a file, and told of all shapes that follow from them."""
    native = source.form.shape
    if shape != native and dataset.sources.get(native) is source:
        return check(dataset, native)[1]
    return _suspicions(shape, records, texts)


def _problems(dataset: DataSet, shape: str, records: list[Record]) -> list[Problem]:
    if not records:
        return [no_rows(dataset, shape)]
    faults = [Fault(record, *wrong) for record in records for wrong in RULES[shape](record.row)]
    return findings(faults, len(records)) or [*_problems_of_all(dataset.name, shape, records)]


def _suspicions(shape: str, records: list[Record], texts: list[Texts]) -> list[str]:
    """The signs that enough rows show, each once."""
    found: dict[str, list[tuple[Record, Sign]]] = {}
    for record, text in zip(records, texts, strict=True):
        kinds = {kind_of(sign.what): sign for sign in signs(shape, record.row, text)}
        for kind, sign in kinds.items():
            found.setdefault(kind, []).append((record, sign))
    faults = [
        Fault(record, sign.what)
        for rows in found.values()
        if len(rows) >= rows[0][1].share * len(records)
        for record, sign in rows
    ]
    return [str(problem) for problem in findings(faults, len(records))][:KINDS]


def _messages(row: Row) -> Iterable[Wrong]:
    yield from _turns("messages", row["messages"])
    last = row["messages"][-1]
    if last["role"] in ROLES and last["role"] != "assistant":
        yield (
            f"the last message is the {last['role']}'s, so there is nothing to learn",
            "end with an assistant message",
        )
    if last["role"] == "assistant" and _is_empty(last):
        yield "the last assistant message is empty", "fill it or delete the row"
    replies = [turn for turn in row["messages"] if turn["role"] == "assistant"]
    if replies and not any(turn.get("train", True) for turn in replies):
        yield (
            "no reply of the row is trained (weight: 0 or train: false)",
            "delete the row, or let one reply be trained",
        )


def _completions(row: Row) -> Iterable[Wrong]:
    yield from _value("prompt", row["prompt"])
    yield from _value("completion", row["completion"])


def _pairs(row: Row) -> Iterable[Wrong]:
    faults = [
        *_value("prompt", row["prompt"]),
        *_reply("chosen", row["chosen"]),
        *_reply("rejected", row["rejected"]),
    ]
    yield from faults
    if faults:
        return
    if _bare(row["chosen"]) == _bare(row["rejected"]):
        yield "chosen and rejected are identical", "delete the row, or give it two different replies"
        return
    repeats = [side for side in ("chosen", "rejected") if _begins_with(row[side], row["prompt"])]
    if len(repeats) == 1:
        yield (
            f"the prompt is repeated inside {repeats[0]} only",
            "leave it out there: chosen and rejected hold the reply alone",
        )


def _thumbs(row: Row) -> Iterable[Wrong]:
    yield from _value("prompt", row["prompt"])
    yield from _reply("completion", row["completion"])
    yield from _boolean("label", row["label"])


def _prompts(row: Row) -> Iterable[Wrong]:
    yield from _value("prompt", row["prompt"])
    answer = row["answer"]
    finite = not isinstance(answer, float) or math.isfinite(answer)
    if isinstance(answer, str) and not answer.strip(INVISIBLE):
        yield "answer is empty", "write the value that a scorer compares with, or delete the column"
    if not isinstance(answer, str | int | float | None) or isinstance(answer, bool) or not finite:
        yield (
            f"answer must be text or a number, got {shown(answer)}",
            "write the value that a scorer compares with",
        )


def _safety(row: Row) -> Iterable[Wrong]:
    yield from _value("prompt", row["prompt"])
    yield from _boolean("harmful", row["harmful"])


def _text(row: Row) -> Iterable[Wrong]:
    yield from _value("text", row["text"])


def _calibration(row: Row) -> Iterable[Wrong]:
    """A model does not learn from these rows, so a conversation may end with any role."""
    name = "messages" if "messages" in row else "text"
    yield from _value(name, row[name])


RULES: dict[str, Callable[[Row], Iterable[Wrong]]] = {
    "messages": _messages,
    "completions": _completions,
    "pairs": _pairs,
    "thumbs": _thumbs,
    "prompts": _prompts,
    "safety": _safety,
    "text": _text,
    "calibration": _calibration,
}


def _boolean(name: str, value: Any) -> Iterable[Wrong]:
    if not isinstance(value, bool):
        yield (
            f"{name} must be true or false, got {shown(value)}",
            f"write {name} as true or false, without quotes",
        )


def _value(name: str, value: Any) -> Iterable[Wrong]:
    if is_turns(value):
        yield from _turns(name, value)
    elif not isinstance(value, str):
        yield f"{name} must be text, got {shown(value)}", "write it as text"
    elif not value.strip(INVISIBLE):
        yield f"{name} is empty", "fill it or delete the row"


def _reply(name: str, value: Any) -> Iterable[Wrong]:
    """The faults of a reply, which must be text, or messages that begin with the assistant's."""
    faults = [*_value(name, value)]
    yield from faults
    if faults or not is_turns(value):
        return
    if value[0]["role"] in ("system", "user"):
        yield (
            f"{name} begins with the {value[0]['role']}'s message: it repeats the prompt, or has another one",
            "leave the prompt out there",
        )
    if value[-1]["role"] != "assistant":
        yield f"{name} does not end with an assistant message", "end it with the model's reply"
    elif _is_empty(value[-1]):
        yield f"the reply in {name} is empty", "fill it or delete the row"


def _turns(name: str, turns: list[Row]) -> Iterable[Wrong]:
    for turn in turns:
        role, content = turn["role"], turn["content"]
        if role not in ROLES:
            yield f"{name} has an unknown role, got {role!r}", did_you_mean(str(role), ROLES)
        if not isinstance(content, str) and not (content is None and "tool_calls" in turn):
            yield (
                f"a message in {name} has content that is not text, got {shown(content)}",
                "write the content as text",
            )
        elif role == "user" and isinstance(content, str) and not content.strip(INVISIBLE):
            yield f"a user's message in {name} is empty", "fill it or delete the row"


def _is_empty(turn: Row) -> bool:
    """Whether a message says nothing and calls no tool."""
    content = turn["content"]
    return "tool_calls" not in turn and (
        not content or (isinstance(content, str) and not content.strip(INVISIBLE))
    )


def _bare(value: Any) -> Any:
    """A reply without what nobody sees, to compare it with another."""
    if isinstance(value, str):
        return value.strip(INVISIBLE)
    return [{**turn, "content": _bare(turn["content"])} for turn in value] if is_turns(value) else value


def _text_of(value: Any) -> str:
    """A text, or the text of the last message of a list."""
    return str(value if isinstance(value, str) else value[-1]["content"])


def _begins_with(reply: Any, prompt: Any) -> bool:
    """Whether the reply, or its first message, repeats a prompt that is long enough to be no coincidence."""
    asked = _text_of(prompt).strip()
    first = _text_of(reply[:1] if is_turns(reply) else reply)
    return len(asked) >= LONG and first.lstrip().startswith(asked)


def _problems_of_all(name: str, shape: str, records: list[Record]) -> Iterable[Problem]:
    """The problems that show only in all rows together."""
    if shape == "thumbs" and len(labels := {record.row["label"] for record in records}) == 1:
        label = str(labels.pop()).lower()
        yield Problem(
            f"all {len(records)} labels of {name} are {label}, so there is nothing to distinguish",
            "give it rows of both labels",
        )
    if (
        shape in ("prompts", "pairs", "thumbs", "safety")
        and len({is_turns(record.row["prompt"]) for record in records}) > 1
    ):
        yield Problem(
            f"some prompts of {name} are texts and others message lists", "write all of them in the same way"
        )
    if shape == "prompts":
        without = [record for record in records if record.row["answer"] is None]
        if 0 < len(without) < len(records):
            yield Problem(
                f"{without[0].place}: answer is missing (in {len(without)} of {len(records)} rows)",
                "give an answer to every prompt, or to none",
            )
