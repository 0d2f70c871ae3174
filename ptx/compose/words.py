"""The words of a command as Hydra's grammar can read them.

The grammar knows no ``=``, umlauts or brackets in a value without quotes, and the shell removes the quotes
that were typed. So a value that it cannot read is quoted here; a comma list for a field that holds a list is
that list, and not several runs.
"""

from __future__ import annotations

import dataclasses
import re

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, Quote, QuotedString
from hydra.errors import HydraException

from ptx.compose.fields import OPEN_GROUPS
from ptx.config import GROUPS, RunConfig
from ptx.guard.reading import is_there
from ptx.hooks.host import Host

#: characters that mean nothing else to the grammar
PLAIN = re.compile(r"[\w./~@%+:-]*", re.ASCII)
PAIRS = {"[": "]", "{": "}", "(": ")"}


def parse(host: Host, word: str, *, multirun: bool) -> Override:
    """A word as Hydra's override.

    Raises:
        HydraException: it has no ``key=``, or its value cannot be read in quotes either.
    """
    key, equals, value = word.partition("=")
    read = OverridesParser.create().parse_override
    if equals and not PLAIN.fullmatch(value) and is_there(value):
        word = f"{key}={_quoted(value)}"
    try:
        override = read(word)
    except HydraException:
        if not equals:
            raise
        override = read(f"{key}={_readable(value)}")
    if _is_list_of_words(override) and holds_list(host, key, multirun=multirun):
        override = read(f"{key}=[{str(override.input_line).partition('=')[2]}]")
    return override


def holds_list(host: Host, key: str, *, multirun: bool = False) -> bool:
    """Whether ``key`` holds a list: a field of that type, or a group of which a run may have several.

    In a multirun ``compress=a,b`` may mean two runs as well as two steps, and is not decided here.
    """
    if key in OPEN_GROUPS:
        return not multirun
    *parents, name = key.split(".")
    types = [
        str(f.type) for kind in _types(host, parents) for f in dataclasses.fields(kind) if f.name == name
    ]
    return bool(types) and all(kind.startswith("list[") for kind in types)


def _types(host: Host, parents: list[str]) -> list[type]:
    """The configuration types that may stand at a dotted name; those of all steps for a recipe's step."""
    if not parents:
        return [RunConfig]
    groups = [part for part in parents if part in GROUPS]
    if not groups:
        return [choice.config_type for choice in host.choices.values()]
    group, following = groups[-1], parents[parents.index(groups[-1]) + 1 :]
    return [
        choice.config_type
        for choice in host.choices.values()
        if choice.group == group and (group not in OPEN_GROUPS or choice.name in following[:1])
    ]


def _is_list_of_words(override: Override) -> bool:
    """Whether the value is ``a,b`` or a single word, and neither null, a list, nor a function of Hydra."""
    value = override.value()
    if isinstance(value, ChoiceSweep):
        return value.simple_form and all(
            isinstance(one, str | int | float | QuotedString) for one in value.list
        )
    return isinstance(value, str) and override.key_or_group not in OPEN_GROUPS


def _readable(value: str) -> str:
    """The value with quotes around each part that the grammar cannot read; parts are divided by commas."""
    parts = _divided(value)
    if not parts:
        return value
    if len(parts) > 1:
        return ",".join(map(_readable, parts))
    if value.startswith("[") and value.endswith("]"):
        return f"[{_readable(value[1:-1])}]"
    try:
        OverridesParser.create().parse_override(f"key={value}")
    except HydraException:
        return _quoted(value)
    return value


def _divided(value: str) -> list[str]:
    """The parts between the commas outside of brackets and quotes; none where one of these is not closed."""
    parts, quote = [""], ""
    open_brackets: list[str] = []
    for character in value:
        if character == "," and not open_brackets and not quote:
            parts.append("")
            continue
        parts[-1] += character
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in PAIRS:
            open_brackets.append(PAIRS[character])
        elif open_brackets and character == open_brackets[-1]:
            open_brackets.pop()
    return [] if open_brackets or quote else parts


def _quoted(text: str) -> str:
    return str(QuotedString(text, Quote.single).with_quotes())
