"""``ptx data convert``: the rows of a dataset in another shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ptx.cli.data.words import OUT, native, new_file, parsed, usable, wrote
from ptx.config import setting
from ptx.data import COLUMNS, SHAPES, DataSet
from ptx.data.records import Row
from ptx.data.turns import assistant, is_turns, user
from ptx.errors import ConfigError, Problem

ABOUT = """\
Write the rows of a dataset in another shape, in ptx's own columns. Shapes that follow without a guess
are those that `ptx check` lists. Asked for by name, also: completions <-> messages, and the better
replies of pairs or thumbs as messages or completions."""
EXAMPLE = "ptx data convert data=./faq.csv to=messages out=./faq.jsonl"
#: what a chat template is given beside the turns
GIVEN = ("tools", "chat_template_kwargs")


@dataclass
class Convert:
    """The words of the verb."""

    to: str = setting(help=f"the shape: {', '.join(SHAPES)}")
    out: str = setting(help=OUT)


def main(words: Sequence[str]) -> int:
    """Convert, and say how.

    Raises:
        ConfigError: the rows have faults, or do not have that shape.
    """
    options, data = parsed("convert", ABOUT, Convert, EXAMPLE, words)
    path = new_file(options.out)
    rows, how = converted(data, options.to)
    wrote(path, rows, note=f", {how}")
    return 0


def converted(data: DataSet, shape: str) -> tuple[list[Row], str]:
    """The rows in ``shape``, with its columns alone, and a sentence on how they were made.

    Raises:
        ConfigError: the rows have faults, or do not have that shape.
    """
    if shape not in SHAPES:
        raise ConfigError(Problem(f"no shape {shape!r}", f"known: {', '.join(SHAPES)}"))
    if shape in data.shapes:
        usable(data, shape)
        kept = (*COLUMNS[shape], "messages", *GIVEN)
        rows = [{name: row[name] for name in kept if name in row} for row in data.rows(shape)]
        return rows, data.describe(shape).partition(": ")[2]
    found = native(data)
    usable(data, found)
    if (found, shape) not in WAYS:
        ways = [*data.shapes, *(to for origin, to in WAYS if origin == found)]
        raise ConfigError(
            Problem(f"{shape} cannot be made of {found}", f"possible: {', '.join(dict.fromkeys(ways))}")
        )
    make, how = WAYS[found, shape]
    made = [
        {**new, **{name: row[name] for name in GIVEN if name in row}}
        for row in data.rows(found)
        for new in make(row)
    ]
    if not made:
        raise ConfigError(Problem(f"no row of {data.name} gives {shape} ({how})", "take another shape"))
    return made, how


def _turns(prompt: Any, reply: Any) -> list[Row]:
    """A prompt and a reply as one conversation."""
    lead = prompt if is_turns(prompt) else [user(prompt)]
    return [*lead, *(reply if is_turns(reply) else [assistant(reply)])]


def _texts(turns: Sequence[Row]) -> list[Row]:
    """Prompt and completion of a conversation that has one question and one answer, else nothing."""
    roles = [turn["role"] for turn in turns]
    if roles != ["user", "assistant"] or not all(isinstance(turn["content"], str) for turn in turns):
        return []
    return [{"prompt": turns[0]["content"], "completion": turns[1]["content"]}]


WAYS: dict[tuple[str, str], tuple[Callable[[Row], list[Row]], str]] = {
    ("completions", "messages"): (
        lambda row: [{"messages": _turns(row["prompt"], row["completion"])}],
        "completions → messages",
    ),
    ("messages", "completions"): (
        lambda row: _texts(row["messages"]),
        "messages → completions; conversations of more than one question and answer are left out",
    ),
    ("pairs", "messages"): (
        lambda row: [{"messages": _turns(row["prompt"], row["chosen"])}],
        "the chosen replies of pairs",
    ),
    ("pairs", "completions"): (
        lambda row: _texts(_turns(row["prompt"], row["chosen"])),
        "the chosen replies of pairs; rows of more than one question and answer are left out",
    ),
    ("thumbs", "messages"): (
        lambda row: [{"messages": _turns(row["prompt"], row["completion"])}] if row["label"] else [],
        "the liked replies",
    ),
    ("thumbs", "completions"): (
        lambda row: _texts(_turns(row["prompt"], row["completion"])) if row["label"] else [],
        "the liked replies; rows of more than one question and answer are left out",
    ),
}
