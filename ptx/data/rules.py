"""The rules for one row of each shape: what makes it useless for training, and how to correct it.

A rule sees one row. What only all rows show together: :mod:`ptx.data.findings.checking` and
:mod:`ptx.data.findings.whole`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from ptx.data.findings.suspect import LONG
from ptx.data.records import Fault, Record, Row
from ptx.data.shapes import COLUMNS, OTHER
from ptx.data.tools import shown
from ptx.data.turns import ROLES, is_turns
from ptx.errors import did_you_mean

Wrong = tuple[str, str, str]  # the name of the finding, what is wrong, how to correct it
INVISIBLE = " \t\r\n\u200b\u200c\u200d\u2060\ufeff\xa0"


Rule = Callable[[Row], Iterable[Wrong]]


def faults_of(records: Iterable[Record], rule: Rule) -> list[Fault]:
    """What a rule finds in the rows."""
    return [Fault(record, what, fix, name=name) for record in records for name, what, fix in rule(record.row)]


def unreadable(shape: str) -> Rule:
    """The rule that the values of a row are texts or messages: no other shape follows from others."""
    names = [name for name in COLUMNS[shape] if name not in OTHER]
    return lambda row: (wrong for name in names for wrong in _value(name, row[name]))


def _messages(row: Row) -> Iterable[Wrong]:
    yield from _turns("messages", row["messages"])
    last = row["messages"][-1]
    if last["role"] in ROLES and last["role"] != "assistant":
        yield (
            "no-reply-at-end",
            f"the last message is the {last['role']}'s, so there is nothing to learn",
            "end with an assistant message",
        )
    if last["role"] == "assistant" and _is_empty(last):
        yield "empty-reply", "the last assistant message is empty", "fill it or delete the row"
    replies = [turn for turn in row["messages"] if turn["role"] == "assistant"]
    if replies and not any(turn.get("train", True) for turn in replies):
        yield (
            "no-trained-reply",
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
        yield (
            "identical-sides",
            "chosen and rejected are identical",
            "delete the row, or give it two different replies",
        )
        return
    repeats = [side for side in ("chosen", "rejected") if _begins_with(row[side], row["prompt"])]
    if len(repeats) == 1:
        yield (
            "prompt-in-one-side",
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
        yield (
            "empty-answer",
            "answer is empty",
            "write the value that a scorer compares with, or delete the column",
        )
    if not isinstance(answer, str | int | float | None) or isinstance(answer, bool) or not finite:
        yield (
            "wrong-answer",
            f"answer must be text or a number, got {shown(answer)}",
            "write the value that a scorer compares with",
        )


def _safety(row: Row) -> Iterable[Wrong]:
    yield from _value("prompt", row["prompt"])
    yield from _boolean("harmful", row["harmful"])


def _steps(row: Row) -> Iterable[Wrong]:
    yield from _value("prompt", row["prompt"])
    steps, labels = row["steps"], row["labels"]
    for number, step in enumerate(steps, start=1):
        if not isinstance(step, str) or not step.strip(INVISIBLE):
            yield (
                "wrong-steps",
                f"step {number} must be a text, got {shown(step)}",
                "write what is said in the step",
            )
    if len(steps) != len(labels) or not steps:
        yield (
            "wrong-steps",
            f"there must be a label for each step, got {len(steps)} steps and {len(labels)} labels",
            "write true for a right step, false for a wrong one",
        )
    for number, label in enumerate(labels, start=1):
        if not isinstance(label, bool):
            yield (
                "wrong-steps",
                f"label {number} must be true or false, got {shown(label)}",
                "write true for a right step, false for a wrong one",
            )


def _text(row: Row) -> Iterable[Wrong]:
    yield from _value("text", row["text"])


def _calibration(row: Row) -> Iterable[Wrong]:
    """A model does not learn from these rows, so a conversation may end with any role."""
    name = "messages" if "messages" in row else "text"
    yield from _value(name, row[name])


RULES: dict[str, Rule] = {
    "messages": _messages,
    "completions": _completions,
    "pairs": _pairs,
    "thumbs": _thumbs,
    "prompts": _prompts,
    "safety": _safety,
    "steps": _steps,
    "text": _text,
    "calibration": _calibration,
}


def _boolean(name: str, value: Any) -> Iterable[Wrong]:
    if not isinstance(value, bool):
        yield (
            "wrong-label",
            f"{name} must be true or false, got {shown(value)}",
            f"write {name} as true or false, without quotes",
        )


def _value(name: str, value: Any) -> Iterable[Wrong]:
    if name == "text" and is_turns(value):
        fix = "write it as text; messages are named data.columns.messages=text"
        yield "not-text", f"text must be text, got {shown(value)}", fix
    elif is_turns(value):
        yield from _turns(name, value)
    elif not isinstance(value, str):
        yield "not-text", f"{name} must be text, got {shown(value)}", "write it as text"
    elif not value.strip(INVISIBLE):
        yield "empty-text", f"{name} is empty", "fill it or delete the row"


def _reply(name: str, value: Any) -> Iterable[Wrong]:
    """The faults of a reply, which must be text, or messages that begin with the assistant's."""
    faults = [*_value(name, value)]
    yield from faults
    if faults or not is_turns(value):
        return
    if value[0]["role"] in ("system", "user"):
        yield (
            "prompt-turn-in-reply",
            f"{name} begins with the {value[0]['role']}'s message: it repeats the prompt, or has another one",
            "leave the prompt out there",
        )
    if value[-1]["role"] != "assistant":
        yield (
            "no-reply-at-end",
            f"{name} does not end with an assistant message",
            "end it with the model's reply",
        )
    elif _is_empty(value[-1]):
        yield "empty-reply", f"the reply in {name} is empty", "fill it or delete the row"


def _turns(name: str, turns: list[Row]) -> Iterable[Wrong]:
    for turn in turns:
        role, content = turn["role"], turn["content"]
        if role not in ROLES:
            yield "unknown-role", f"{name} has an unknown role, got {role!r}", did_you_mean(str(role), ROLES)
        if not isinstance(content, str) and not (content is None and "tool_calls" in turn):
            yield (
                "not-text",
                f"a message in {name} has content that is not text, got {shown(content)}",
                "write the content as text",
            )
        elif role == "user" and isinstance(content, str) and not content.strip(INVISIBLE):
            yield "empty-user-turn", f"a user's message in {name} is empty", "fill it or delete the row"
        for call in turn.get("tool_calls", ()):
            tool, arguments = call["function"]["name"], call["function"]["arguments"]
            if not isinstance(arguments, dict):
                what = f"a call of {tool} has arguments that are no JSON object, got {shown(arguments)}"
                yield "broken-call", what, "write its arguments as an object, or delete the row"


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
