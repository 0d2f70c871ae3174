"""What the verbs of ``ptx data`` share: their words, the rows that they read, the file that they write."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from ptx.cli.parser import Parser
from ptx.cli.plugin_commands import configured
from ptx.data import DataSet, check
from ptx.data.records import Row
from ptx.errors import ConfigError, Problem, counted, did_you_mean
from ptx.files import write_rows
from ptx.hooks.host import get_host
from ptx.plan.inputs import Inputs

T = TypeVar("T")
OUT = "the file to write: it does not exist yet, and its name ends in .jsonl"


def parsed(verb: str, about: str, kind: type[T], example: str, words: Sequence[str]) -> tuple[T, DataSet]:
    """The settings that ``key=value`` words give to a dataclass, and the data that they name.

    Raises:
        ConfigError: with everything that is wrong with the words and the data.
    """
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    lines = [("data=...", "what is read, with data.columns, data.shape, data.bad as everywhere")]
    lines += [(f"{one.name}={_default(one)}", one.metadata["help"]) for one in fields]
    width = max(len(word) for word, _ in lines)
    listed = "\n".join(f"  {word:<{width}}  {text}" for word, text in lines)
    parser = Parser(
        f"ptx data {verb}",
        usage=f"ptx data {verb} data=... key=value ...",
        description=f"{about}\n\nwords, with their defaults:\n{listed}",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="+", metavar="key=value", help="see above")
    typed = parser.parse_args(list(words)).words
    own = [word for word in typed if word.partition("=")[0].partition(".")[0] != "data"]
    options, problems = _options(kind, own)
    data = None
    if len(own) == len(typed):
        problems.append(Problem("nothing to read", f"type {example}"))
    else:
        inputs = Inputs(get_host())
        data = inputs.data(configured("eval", [*(word for word in typed if word not in own), "eval=[]"]).data)
        problems += inputs.problems
    if problems or data is None:
        raise ConfigError(problems)
    return kind(**options), data


def _default(field: dataclasses.Field[object]) -> str:
    return "..." if field.default is dataclasses.MISSING else str(field.default)


def _options(kind: type, words: Sequence[str]) -> tuple[dict[str, object], list[Problem]]:
    """The values of the words by field, and what is wrong with them."""
    fields = {one.name: one for one in dataclasses.fields(kind)}
    options: dict[str, object] = {}
    problems = []
    for word in words:
        name, _, value = word.partition("=")
        if name not in fields:
            problems.append(Problem(f"no word {word!r}", did_you_mean(name, [*fields])))
            continue
        try:
            options[name] = READERS[str(fields[name].type)](value)
        except ValueError:
            problems.append(Problem(f"{name} must be a number, got {value!r}", fields[name].metadata["help"]))
    missing = [
        name
        for name, one in fields.items()
        if one.default is dataclasses.MISSING and not any(word.startswith(f"{name}=") for word in words)
    ]
    problems += [Problem(f"{name}= is missing", fields[name].metadata["help"]) for name in missing]
    return options, problems


READERS = {"str": str, "int": int, "float": float}


def usable(data: DataSet, shape: str) -> None:
    """Check the rows of a shape as a run that reads them does.

    Raises:
        ConfigError: with what is wrong with them.
    """
    problems, _ = check(data, shape)
    if problems:
        raise ConfigError(problems)


def native(data: DataSet) -> str:
    """The shape that the rows have in the file.

    Raises:
        ConfigError: the files have several.
    """
    natives = list(dict.fromkeys(source.form.shape for source in data.sources.values()))
    if len(natives) > 1:
        one = next(iter(natives))
        raise ConfigError(Problem(f"{data.name} holds {', '.join(natives)}", f"choose: data.shape={one}"))
    return natives[0]


def new_file(out: str) -> Path:
    """The file to write.

    Raises:
        ConfigError: it exists, or has another ending.
    """
    path = Path(out).expanduser()
    if path.suffix != ".jsonl":
        raise ConfigError(
            Problem(f"out={out} does not end in .jsonl", f"type out={path.with_suffix('.jsonl')}")
        )
    if path.exists():
        raise ConfigError(Problem(f"{path} exists already", "name another file with out="))
    return path


def wrote(path: Path, rows: Sequence[Row], what: str = "row", note: str = "") -> None:
    """Write the rows, and say where they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_rows(path, rows)
    print(f"wrote {path}: {counted(len(rows), what)}{note}")
