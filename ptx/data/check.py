"""Finds mistakes in rows that can be read, before training: with most of them training would not fail.

A mistake is fatal (a :class:`~ptx.errors.Problem`) when it makes every result meaningless: identical sides of
a pair, a single label, empty replies, an unknown role, labels that are not booleans. What may be intended is
a warning.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from ptx.data.dataset import DataSet
from ptx.data.read import Record, Row
from ptx.data.turns import ROLES, is_turns, shown
from ptx.errors import Problem, did_you_mean
from ptx.files import digest_of

REPEATED = 0.1  # share of duplicate rows that is worth a warning: real data has a few
LONG = 20  # characters; a shorter prompt may stand at the head of a reply by coincidence
Fault = tuple[str, str]  # what is wrong, how to correct it


def check(dataset: DataSet, shape: str) -> tuple[list[Problem], list[str]]:
    """Problems (fatal) and warnings of the rows of ``shape``.

    Each kind is reported once, with the number of rows and the place of the first one.
    """
    found: tuple[list[Problem], list[str]] = dataset.once("check", shape, lambda: _check(dataset, shape))
    return found


def _check(dataset: DataSet, shape: str) -> tuple[list[Problem], list[str]]:
    records = dataset.located(shape)
    if not records:
        return [Problem(f"{dataset.name} gives no rows of shape {shape}", "give it at least one")], []
    where: dict[Fault, list[Record]] = defaultdict(list)
    for record in records:
        for fault in _faults(shape, record.row):
            where[fault].append(record)
    problems = [_problem(what, fix, found, len(records)) for (what, fix), found in where.items()]
    if not problems:
        problems += _problems_of_all(dataset.name, shape, records)
    return problems, [*_warnings(shape, records)]


def _problem(what: str, fix: str, found: list[Record], total: int) -> Problem:
    count = "" if len(found) == 1 else f" (and {len(found) - 1} more of {total} rows)"
    return Problem(f"{found[0].place}: {what}{count}", fix)


def _faults(shape: str, row: Row) -> Iterable[Fault]:
    return RULES[shape](row)


def _messages(row: Row) -> Iterable[Fault]:
    yield from _turns("messages", row["messages"])
    last = row["messages"][-1]
    if last["role"] in ROLES and last["role"] != "assistant":
        yield (
            f"the last message is the {last['role']}'s, so there is nothing to learn",
            "end with an assistant message",
        )
    if last["role"] == "assistant" and not last["content"] and "tool_calls" not in last:
        yield "the last assistant message is empty", "fill it or delete the row"


def _completions(row: Row) -> Iterable[Fault]:
    yield from _value("prompt", row["prompt"])
    yield from _value("completion", row["completion"])


def _pairs(row: Row) -> Iterable[Fault]:
    faults = [
        *_value("prompt", row["prompt"]),
        *_reply("chosen", row["chosen"]),
        *_reply("rejected", row["rejected"]),
    ]
    yield from faults
    if faults:
        return
    if row["chosen"] == row["rejected"]:
        yield "chosen and rejected are identical", "delete the row, or give it two different replies"
        return
    repeats = [side for side in ("chosen", "rejected") if _begins_with(row[side], row["prompt"])]
    if len(repeats) == 1:
        yield (
            f"the prompt is repeated inside {repeats[0]} only",
            "leave it out there: chosen and rejected hold the reply alone",
        )


def _thumbs(row: Row) -> Iterable[Fault]:
    yield from _value("prompt", row["prompt"])
    yield from _reply("completion", row["completion"])
    yield from _boolean("label", row["label"])


def _prompts(row: Row) -> Iterable[Fault]:
    yield from _value("prompt", row["prompt"])
    answer = row["answer"]
    if not isinstance(answer, str | int | float | None) or isinstance(answer, bool):
        yield (
            f"answer must be text or a number, got {shown(answer)}",
            "write the value that a scorer compares with",
        )


def _safety(row: Row) -> Iterable[Fault]:
    yield from _value("prompt", row["prompt"])
    yield from _boolean("harmful", row["harmful"])


def _text(row: Row) -> Iterable[Fault]:
    yield from _value("text", row["text"])


def _calibration(row: Row) -> Iterable[Fault]:
    """A model does not learn from these rows, so a conversation may end with any role."""
    name = "messages" if "messages" in row else "text"
    yield from _value(name, row[name])


RULES: dict[str, Callable[[Row], Iterable[Fault]]] = {
    "messages": _messages,
    "completions": _completions,
    "pairs": _pairs,
    "thumbs": _thumbs,
    "prompts": _prompts,
    "safety": _safety,
    "text": _text,
    "calibration": _calibration,
}


def _boolean(name: str, value: Any) -> Iterable[Fault]:
    if not isinstance(value, bool):
        yield (
            f"{name} must be true or false, got {shown(value)}",
            f"write {name} as true or false, without quotes",
        )


def _value(name: str, value: Any) -> Iterable[Fault]:
    if is_turns(value):
        yield from _turns(name, value)
    elif not isinstance(value, str):
        yield f"{name} must be text, got {shown(value)}", "write it as text"
    elif not value.strip():
        yield f"{name} is empty", "fill it or delete the row"


def _reply(name: str, value: Any) -> Iterable[Fault]:
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
    elif not value[-1]["content"] and "tool_calls" not in value[-1]:
        yield f"the reply in {name} is empty", "fill it or delete the row"


def _turns(name: str, turns: list[Row]) -> Iterable[Fault]:
    for turn in turns:
        role, content = turn["role"], turn["content"]
        if role not in ROLES:
            yield f"{name} has the unknown role {role!r}", did_you_mean(str(role), ROLES)
        if not isinstance(content, str) and not (content is None and "tool_calls" in turn):
            yield (
                f"a message in {name} has content that is not text: {shown(content)}",
                "write the content as text",
            )
        elif role == "user" and isinstance(content, str) and not content.strip():
            yield f"a user's message in {name} is empty", "fill it or delete the row"


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


def _warnings(shape: str, records: list[Record]) -> Iterable[str]:
    seen: dict[str, Record] = {}
    twice: list[Record] = []
    for record in records:
        if seen.setdefault(digest_of(record.row), record) is not record:
            twice.append(record)
    if len(twice) >= REPEATED * len(records):
        yield f"{len(twice)} of {len(records)} rows repeat an earlier one; the first is {twice[0].place}"
    if shape == "prompts" and all(record.row["answer"] is None for record in records):
        yield (
            "the prompts have no answers: only scorers that need no reference (format, a judge) can give"
            " rewards"
        )
    if shape == "thumbs":
        yield from _imbalance(records)
    if shape == "pairs":
        both = [
            record
            for record in records
            if all(_begins_with(record.row[side], record.row["prompt"]) for side in ("chosen", "rejected"))
        ]
        if both:
            yield (
                f"{len(both)} of {len(records)} pairs repeat the prompt in chosen and in rejected; the first"
                f" is {both[0].place}"
            )


def _imbalance(records: list[Record]) -> Iterable[str]:
    liked = sum(record.row["label"] is True for record in records)
    disliked = sum(record.row["label"] is False for record in records)
    if liked and disliked and max(liked, disliked) >= 10 * min(liked, disliked):
        yield f"the labels are unbalanced: {liked} true, {disliked} false"
