"""Words of a command in Hydra's grammar: the grid that they span, and which of them choose (``method=dpo``)
and which set a field (``method.beta=0.2``).

A model or data value that is no choice is a path or a hub id.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from ptx.compose.fields import OPEN_GROUPS
from ptx.compose.groups import known
from ptx.config import GROUPS, IN_METHOD
from ptx.errors import ConfigError, Problem, did_you_mean

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
DATA_SUFFIXES = (".jsonl", ".json", ".csv", ".parquet", ".txt")
RUNTIME = "runtime"


def read(words: Sequence[str], *, multirun: bool) -> list[Override]:
    """The words, understood.

    Raises:
        ConfigError: everything that cannot be read, and what names several values where one run is asked for.
    """
    overrides = _parsed(words)
    if not multirun and (swept := [one.input_line for one in overrides if one.is_sweep_override()]):
        raise ConfigError(
            [Problem(f"{line!r} names several values", "add -m to run them all") for line in swept]
        )
    return _listed(overrides)


def _parsed(words: Sequence[str]) -> list[Override]:
    parser, parsed, problems = OverridesParser.create(), [], []
    for word in words:
        try:
            parsed.append(parser.parse_override(word))
        except HydraException as error:
            problems.append(
                Problem(
                    f"cannot read {word!r}: {str(error).splitlines()[0]}",
                    "write key=value, in quotes where the shell needs them",
                )
            )
    for override in parsed:
        if override.is_delete():
            problems.append(
                Problem(
                    f"{override.input_line!r}: nothing can be deleted",
                    f"write {override.key_or_group}=null or =[]",
                )
            )
    if problems:
        raise ConfigError(problems)
    return parsed


def _listed(overrides: list[Override]) -> list[Override]:
    """``runtime=[hf,onnx]``: every model on each of them, which is what ``-m runtime=hf,onnx`` says of a
    sweep.
    """
    parser = OverridesParser.create()
    made = []
    for override in overrides:
        names = None if override.is_sweep_override() or override.key_or_group != RUNTIME else override.value()
        if isinstance(names, list) and names:
            made.append(parser.parse_override(f"{RUNTIME}={','.join(map(str, names))}"))
        else:
            made.append(override)
    return made


def grid(overrides: list[Override]) -> Iterator[list[tuple[str, bool]]]:
    """Rows of (``key=value``, does it vary), the last axis fastest."""
    axes: list[list[tuple[str, bool]]] = []
    for override in overrides:
        key = override.get_key_element()
        if override.is_sweep_override():
            axes.append([(f"{key}={value}", True) for value in override.sweep_string_iterator()])
        else:
            axes.append([(f"{key}={override.get_value_element_as_str()}", False)])
    yield from (list(row) for row in itertools.product(*axes))


def sorted_out(lines: list[str]) -> tuple[dict[str, str], list[tuple[str, Any]], list[Problem]]:
    """Words as choices of groups and values of fields."""
    parser = OverridesParser.create()
    choices: dict[str, str] = {}
    values: list[tuple[str, Any]] = []
    problems: list[Problem] = []
    for override in (parser.parse_override(line) for line in lines):
        key, value = override.key_or_group, override.value()
        if key not in GROUPS and not known(key):
            values.append((key, value))
            continue
        found, chosen, extra = _choose(key, value)
        problems += found
        values += extra
        if chosen is not None:
            choices[key] = chosen
    return choices, values, problems


def _choose(group: str, value: Any) -> tuple[list[Problem], str | None, list[tuple[str, Any]]]:
    """Check the value of a group: (problems, what Hydra is told, fields to set afterwards)."""
    many = group in OPEN_GROUPS
    names = value if isinstance(value, list) else [value]
    if many != isinstance(value, list) and value is not None:
        right = f"{group}=[{value}]" if many else f"{group}={names[0] if names else '...'}"
        return (
            [
                Problem(
                    f"{group} takes {'a list' if many else 'one value'}, got {group}={value}",
                    f"write {right}",
                )
            ],
            None,
            [],
        )
    if value is None or value == "none":
        return [], "[]" if many else "null" if group not in IN_METHOD else "none", []
    if group in ("model", "data") and str(value) not in known(group):
        return _path_or_hub(group, str(value))
    wrong = [name for name in names if str(name) not in known(group)]
    if len(set(map(str, names))) < len(names):
        return (
            [Problem(f"{group}={value} names one choice twice", "a recipe can hold a step twice")],
            None,
            [],
        )
    problems = [Problem(f"no {group} {name!r}", did_you_mean(str(name), known(group))) for name in wrong]
    return problems, f"[{','.join(map(str, names))}]" if many else str(value), []


def _path_or_hub(group: str, value: str) -> tuple[list[Problem], str | None, list[tuple[str, Any]]]:
    if is_path(group, value):
        return [], "path", [(f"{group}.path", str(Path(value).expanduser()))]
    if HUB_ID.fullmatch(value) and "hub" in known(group):
        return [], "hub", [(f"{group}.id", value)]
    hint = did_you_mean(value, known(group))
    return (
        [
            Problem(
                f"no {group} {value!r}, and no such file or folder",
                f"{hint} A path is written ./{value}, a hub id org/name",
            )
        ],
        None,
        [],
    )


def is_path(group: str, value: str) -> bool:
    """Whether a model or data value is meant as a path."""
    path = Path(value).expanduser()
    return (
        path.exists()
        or value.startswith(("./", "../", "/", "~"))
        or (group == "data" and path.suffix in DATA_SUFFIXES)
    )
