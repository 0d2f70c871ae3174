"""Python values as words of the command line: ``method__beta=0.2`` is ``method.beta=0.2``.

Everything after that is the command line's: one grammar, one composition, the same errors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ptx.errors import ConfigError, Problem

PLAIN = re.compile(r"[A-Za-z0-9_./@+-]+")
#: texts that the grammar reads as something else: numbers, null, true, ...
OTHERWISE = re.compile(
    r"[+-]?(\d[\d_]*\.?\d*|\.\d+)(e[+-]?\d+)?|null|true|false|[+-]?(inf|nan)", re.IGNORECASE
)


@dataclass(frozen=True)
class Each:
    """Several values of one setting: a sweep runs each of them."""

    values: tuple[Any, ...]


def words_of(words: Sequence[str], settings: Mapping[str, Any]) -> list[str]:
    """The words of a command: those that are words already, then the settings.

    Raises:
        ConfigError: a word is no text, or a value has no counterpart in the grammar; all problems together.
    """
    problems = [
        Problem(
            f"{word!r:.80} is no word such as 'method.beta=0.2'", "give settings by name: method__beta=0.2"
        )
        for word in words
        if not isinstance(word, str) or "=" not in word
    ]
    found = list(map(str, words))
    for name, value in settings.items():
        key = name.replace("__", ".")
        try:
            found.append(f"{key}={text_of(value)}")
        except TypeError as error:
            problems.append(Problem(f"{key}: {error}", "give a text, number, path, list or dict"))
    if problems:
        raise ConfigError(problems)
    return found


def text_of(value: Any) -> str:
    """A value in the grammar of the command line.

    Raises:
        TypeError: there is no way to write it.
    """
    if isinstance(value, Each):
        return ",".join(map(text_of, value.values))
    if isinstance(value, range):
        return f"range({value.start},{value.stop},{value.step})"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_quoted(str(key))}:{text_of(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(text_of, value)) + "]"
    return _single(value)


def _single(value: Any) -> str:
    """A value that is no collection."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(float(value) if isinstance(value, float) else value)  # numpy's is a float with a name
    if isinstance(value, str | os.PathLike):
        return _quoted(os.fspath(value))
    if callable(item := getattr(value, "item", None)):  # a number of numpy
        return _single(item())
    raise TypeError(f"a value of type {type(value).__name__} cannot be a setting")


def _quoted(text: str) -> str:
    """The text, in quotes where the grammar would read it in another way."""
    if PLAIN.fullmatch(text) and not OTHERWISE.fullmatch(text):
        return text
    inside = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), text)
    return f"'{inside}'"
