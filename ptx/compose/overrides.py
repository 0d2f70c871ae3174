"""The words of a command in Hydra's grammar, and the grid that they span.

A word names a choice (``method=dpo``) or sets a field (``method.beta=0.2``). A value of ``model=`` or
``data=`` that is no choice is a path or an id of the hub.
"""

from __future__ import annotations

import copy
import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from ptx.compose.fields import OPEN_GROUPS, as_typed
from ptx.compose.groups import known
from ptx.compose.words import parse
from ptx.config import GROUPS, IN_METHOD
from ptx.errors import ConfigError, Problem, did_you_mean
from ptx.guard.reading import is_there
from ptx.guard.secrets import masked
from ptx.hooks.host import Host

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
DATA_SUFFIXES = (
    *(".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".txt"),
    *(".gz", ".bz2", ".xz", ".zst"),
)
RUNTIME = "runtime"
MOST_RUNS = 10_000


def read(host: Host, words: Sequence[str], *, multirun: bool) -> list[Override]:
    """The words as overrides of Hydra.

    Raises:
        ConfigError: with every word that cannot be read, and, without ``multirun``, every word that names
            several values.
    """
    overrides = _parsed(host, [masked(word) for word in words], multirun=multirun)
    if not multirun and (swept := [one.input_line for one in overrides if one.is_sweep_override()]):
        raise ConfigError(
            [Problem(f"{line!r} names several values", "add -m to run them all") for line in swept]
        )
    overrides = _runtimes_as_sweep(overrides)
    _check_size(overrides)
    return overrides


def _parsed(host: Host, words: Sequence[str], *, multirun: bool) -> list[Override]:
    parsed, problems = [], []
    for word in words:
        try:
            parsed.append(parse(host, word, multirun=multirun))
        except HydraException as error:
            problems.append(
                Problem(
                    f"cannot read {word!r}: {str(error).splitlines()[0]}",
                    "write key=value; a list is [a,b]; quote the whole word for the shell",
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


def _runtimes_as_sweep(overrides: list[Override]) -> list[Override]:
    """``runtime=[hf,onnx]`` as ``-m runtime=hf,onnx``: every model on each of the runtimes."""
    parser = OverridesParser.create()
    result = []
    for override in overrides:
        names = None if override.is_sweep_override() or override.key_or_group != RUNTIME else override.value()
        if isinstance(names, list) and names:
            result.append(parser.parse_override(f"{RUNTIME}={','.join(map(str, names))}"))
        else:
            result.append(override)
    return result


def _check_size(overrides: list[Override]) -> None:
    """Refuse a grid that nobody can run, before it is written out (``range(0,1000000000)``)."""
    total = 1
    for override in overrides:
        if override.is_sweep_override():
            total *= sum(1 for _ in itertools.islice(override.sweep_string_iterator(), MOST_RUNS + 1))
        if total > MOST_RUNS:
            what = f"the words span more than {MOST_RUNS:,} runs, with {override.input_line!r:.80}"
            raise ConfigError(Problem(what, "name fewer values, or write a search: `ptx sweep --help`"))


def grid(overrides: list[Override]) -> Iterator[list[tuple[str, bool]]]:
    """Rows of (``key=value``, whether it varies); the last axis varies fastest."""
    axes: list[list[tuple[str, bool]]] = []
    for override in overrides:
        key = override.get_key_element()
        if override.is_sweep_override():
            axes.append([(f"{key}={value}", True) for value in swept(override)])
        else:
            axes.append([(f"{key}={override.get_value_element_as_str()}", False)])
    yield from (list(row) for row in itertools.product(*axes))


def swept(override: Override) -> Iterator[str]:
    """The values of a sweep as a user types them: Hydra says True for true."""
    for value in override.sweep_string_iterator():
        yield {"True": "true", "False": "false"}.get(value, value)


def choices_and_values(words: list[str]) -> tuple[dict[str, str], list[tuple[str, Any]], list[Problem]]:
    """The words as choices of groups and values of fields, and the problems of the choices."""
    choices: dict[str, str] = {}
    values: list[tuple[str, Any]] = []
    problems: list[Problem] = []
    for override in map(_override, words):
        key, value = override.key_or_group, copy.deepcopy(override.value())
        if key not in GROUPS and not known(key):
            values.append((key, value))
            continue
        found, chosen, extra = _choose(key, value)
        problems += found
        values += extra
        if chosen is not None:
            choices[key] = chosen
    return choices, values, problems


@functools.lru_cache(maxsize=4096)
def _override(word: str) -> Override:
    """A word as Hydra's override; the jobs of a grid share most of their words."""
    return _parser().parse_override(word)


@functools.cache
def _parser() -> OverridesParser:
    return OverridesParser.create()


def _choose(group: str, value: Any) -> tuple[list[Problem], str | None, list[tuple[str, Any]]]:
    """The value of a group, checked: (problems, the value for Hydra, fields to set afterwards)."""
    many = group in OPEN_GROUPS
    names = value if isinstance(value, list) else [value]
    if many != isinstance(value, list) and value is not None:
        right = f"{group}=[{value}]" if many else f"{group}={names[0] if names else '...'}"
        return (
            [
                Problem(
                    f"{group} takes {'a list' if many else 'one value'}, got {group}={as_typed(value)}",
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
            [Problem(f"{group}={as_typed(value)} names a choice twice", "to repeat a step write a recipe")],
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
                f"{hint} Write a path as ./{value}, an id of the hub as org/name",
            )
        ],
        None,
        [],
    )


def is_path(group: str, value: str) -> bool:
    """Whether a value of ``model=`` or ``data=`` is a path and not the name of a choice."""
    return (
        is_there(value)
        or value.startswith(("./", "../", "/", "~"))
        or (group == "data" and Path(value).suffix in DATA_SUFFIXES)
    )
