"""The items: questions with their tools and the calls that are right, from BFCL's files and from others.

A file of BFCL holds rows of ``question`` and ``function``, and the answers lie in ``possible_answer/`` beside
it. A plain row has ``prompt``, ``tools`` and ``calls`` (an empty list where no tool fits). Anything else is
read as training data is: the first reply with calls is what is asked for; a conversation without calls is an
item of irrelevance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptx import ConfigError, Problem
from ptx.lm.evaluation.lines import Record, RowError, records_of, tool_calls, tool_definitions
from ptx.lm.evaluation.rows import read_rows
from ptx.stats.items import item_id, numbered
from ptx_tools.match import Expected, parameters_of, type_of

Row = dict[str, Any]
ANSWERS = "possible_answer"
RESULTS = (".json", ".jsonl")
IRRELEVANCE, RELEVANCE = "irrelevance", "relevance"
#: categories of BFCL that need more than one reply, or values in the notation of another language
OTHERS = {
    "multi_turn": "several turns with a state",
    "memory": "several turns with a state",
    "web_search": "a search engine",
    "format_sensitivity": "other prompts of the same items",
    "java": "values in Java's notation",
    "javascript": "values in JavaScript's notation",
}
SCHEMA_WORDS = {"dict": "object", "float": "number", "tuple": "array", "any": "string"}


@dataclass(frozen=True)
class Item:
    """A question, its tools as the file has them, and the calls that are right (None: any call)."""

    item: str
    id: str  # the file's own name of it, for recorded replies
    category: str
    turns: list[Row] = field(hash=False)
    tools: list[Row] = field(hash=False)
    expected: list[Expected] | None = field(hash=False)

    @property
    def shown(self) -> list[Row]:
        """The tools as a template gets them: with JSON schema's words for types."""
        return [
            {"type": "function", "function": as_schema(tool.get("function", tool))} for tool in self.tools
        ]

    @property
    def functions(self) -> list[str]:
        """Digests of the functions that it is about: the expected ones, else all."""
        wanted = {one.name for one in self.expected or ()}
        inner = [tool.get("function", tool) for tool in self.tools]
        return [item_id(tool) for tool in inner if not wanted or tool.get("name") in wanted]


def files_behind(names: Sequence[str]) -> list[Path]:
    """The files that the settings name, and the answers beside BFCL's."""
    found = []
    for name in names:
        for path in files_of(Path(name).expanduser()):
            found += [path, *([answers] if (answers := answers_of(path)).exists() else [])]
    return found


def files_of(path: Path) -> list[Path]:
    """A file, or the JSON files of a folder."""
    if not path.is_dir():
        return [path]
    return sorted(one for one in path.iterdir() if one.is_file() and one.suffix in RESULTS)


def answers_of(path: Path) -> Path:
    """The place of BFCL's answers to a file."""
    return path.parent / ANSWERS / path.name


def read_items(names: Sequence[str], limit: int | None) -> list[Item]:
    """The items of all files.

    Raises:
        ConfigError: with everything that is wrong in any of them.
    """
    items: list[Item] = []
    problems: list[Problem] = []
    for name in names:
        for path in files_of(Path(name).expanduser()):
            try:
                items += _items(path, limit)
            except ConfigError as error:
                problems += error.problems
    if problems:
        raise ConfigError(problems)
    unique = numbered(one.item for one in items)
    return [
        Item(name, one.id, one.category, one.turns, one.tools, one.expected)
        for name, one in zip(unique, items, strict=True)
    ]


def _items(path: Path, limit: int | None) -> list[Item]:
    if not path.exists():
        raise ConfigError(
            Problem(f"eval.tools.files: no file or folder {path}", "name a .json or .jsonl file")
        )
    records = records_of(path)
    columns = {name for record in records for name in record.row}
    if {"question", "function"} <= columns:
        return list(_of_bfcl(path, records[:limit]))
    if {"prompt", "tools", "calls"} <= columns:
        return list(_of_plain(records[:limit]))
    return list(_of_data(path, limit))


def _of_bfcl(path: Path, records: Sequence[Record]) -> Iterator[Item]:
    answers = _answers(answers_of(path))
    without = []
    for record in records:
        row = record.row
        name = str(row.get("id") or f"{path.stem}_{record.line}")
        category = category_of(name, path)
        truth = row.get("ground_truth", answers.get(name))
        if truth is None and not category.endswith((IRRELEVANCE, RELEVANCE)):
            without.append(name)
            continue
        expected: list[Expected] | None = [_accepted(record, one) for one in truth or ()]
        if is_relevance(category):
            expected = None
        turns, tools = row["question"][0], row["function"]
        yield Item(_named(category, turns, tools), name, category, turns, tools, expected)
    if without:
        raise ConfigError(
            Problem(
                f"file {path.name}: no answers to {len(without)} of its items, such as {without[0]}",
                f"put BFCL's answers into {ANSWERS}/{path.name} beside it, or a column ground_truth",
            )
        )


def is_relevance(category: str) -> bool:
    """Whether some call is right, whichever it is."""
    return category.endswith(RELEVANCE) and not category.endswith(IRRELEVANCE)


def category_of(name: str, path: Path) -> str:
    """BFCL's category from the name of an item: ``live_simple_0-0-0`` is ``live_simple``.

    Raises:
        ConfigError: a category that is not measured here.
    """
    found = re.match(r"(.*?)_\d", name)
    category = (found[1] if found else path.stem).removeprefix("BFCL_v4_").removeprefix("BFCL_v3_")
    other = next((word for word in OTHERS if category.startswith(word) or category.endswith(f"_{word}")), "")
    if other:
        what = (
            f"file {path.name}: BFCL's category {category} needs {OTHERS[other]}, which is not measured here"
        )
        raise ConfigError(Problem(what, "leave the file out of eval.tools.files"))
    return category


def _answers(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    records = records_of(path)
    return {str(record.row.get("id")): record.row.get("ground_truth") for record in records}


def _accepted(record: Record, one: Any) -> Expected:
    if not isinstance(one, Mapping) or len(one) != 1 or not isinstance(next(iter(one.values())), Mapping):
        what = f"{record.place}: an answer must be a function with the accepted values, got {one!r}"
        raise ConfigError(Problem(what, 'write {"f": {"a": [1], "b": ["", "x"]}}'))
    name, values = next(iter(one.items()))
    return Expected(name, {key: list(value) for key, value in values.items()})


def _of_plain(records: Sequence[Record]) -> Iterator[Item]:
    problems = []
    for record in records:
        row = record.row
        try:
            tools, calls = tool_definitions(row.get("tools")), tool_calls(row.get("calls"))
        except RowError as error:
            problems.append(Problem(f"{record.place}: {error}", error.fix or "write name and arguments"))
            continue
        prompt = row["prompt"]
        turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        yield _exact(turns, tools, calls, str(row.get("id") or ""), str(row.get("category") or ""))
    if problems:
        raise ConfigError(problems)


def _of_data(path: Path, limit: int | None) -> Iterator[Item]:
    rows = read_rows("messages", "eval.tools.files", [str(path)], limit)
    if not any(row.get("tools") for row in rows):
        what = f"file {path.name}: no row has tools, so there are no calls to measure"
        raise ConfigError(Problem(what, "name files with a column tools"))
    for row in rows:
        turns = row["messages"]
        replies = [place for place, turn in enumerate(turns) if turn["role"] == "assistant"]
        calling = [place for place in replies if turns[place].get("tool_calls")]
        if row.get("tools") and replies:
            place = (calling or replies[-1:])[0]
            calls = turns[place].get("tool_calls") or []
            yield _exact(turns[:place], row["tools"], calls, str(row.get("id") or ""), "")


def _exact(turns: list[Row], tools: list[Row], calls: list[Row], name: str, category: str) -> Item:
    """An item whose every argument has one accepted value; a default may be left out."""
    functions = [call["function"] for call in calls]
    expected = [
        Expected(one["name"], _values(one["arguments"], parameters_of(one["name"], tools)))
        for one in functions
    ]
    kinds = {0: IRRELEVANCE, 1: "multiple" if len(tools) > 1 else "simple"}
    category = category or kinds.get(len(calls), "parallel")
    return Item(_named(category, turns, tools), name, category, turns, tools, expected)


def _values(arguments: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, list[Any]]:
    properties, required = parameters.get("properties") or {}, parameters.get("required") or ()
    found = {}
    for name, value in arguments.items():
        schema = properties.get(name)
        schema = schema if isinstance(schema, Mapping) else {}
        left_out = name not in required and "default" in schema and schema["default"] == value
        found[name] = [_as_accepted(value, schema), *([""] if left_out else [])]
    return found


def _as_accepted(value: Any, schema: Mapping[str, Any]) -> Any:
    """A value as BFCL writes accepted ones: in an object, and in a list of objects, each key has a list."""
    items = schema.get("items")
    if type_of(schema.get("type")) is dict and isinstance(value, Mapping):
        return {key: [item] for key, item in value.items()}
    if isinstance(value, list) and isinstance(items, Mapping) and type_of(items.get("type")) is dict:
        return [_as_accepted(item, items) for item in value]
    return value


def _named(category: str, turns: Any, tools: Any) -> str:
    return f"{category}:{item_id(turns, tools)}"


def as_schema(value: Any) -> Any:
    """A definition with JSON schema's words for types, at every depth."""
    if isinstance(value, list):
        return [as_schema(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    made = {key: as_schema(item) for key, item in value.items()}
    if isinstance(value.get("type"), str):
        made["type"] = SCHEMA_WORDS.get(value["type"], value["type"])
    return made
