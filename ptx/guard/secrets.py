"""Secrets that stand in environment variables: they are never written and never printed.

A variable is a secret by its name (``OPENAI_API_KEY``, ``HF_TOKEN``, ``DB_PASSWORD``). Wherever ptx writes or
prints a text, the value of such a variable is replaced by its reference, ``${oc.env:NAME}``; a configuration
keeps the reference too, and :func:`resolved` gives the value where it is used, and nowhere else.
"""

from __future__ import annotations

import base64
import dataclasses
import errno
import functools
import html
import io
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TextIO, cast
from urllib.parse import quote, quote_plus

WORDS = (
    *("KEY", "KEYS", "APIKEY", "TOKEN", "TOKENS", "SECRET", "SECRETS", "PASSWORD", "PASSWD", "PASSPHRASE"),
    *("PASS", "PWD", "CREDENTIAL", "CREDENTIALS", "AUTH", "BEARER", "PAT", "DSN", "COOKIE"),
)
NAME = re.compile(rf"(?:^|_)(?:{'|'.join(WORDS)})(?:_|\d|$)|APIKEY|SECRET|PASSWORD", re.IGNORECASE)
NO_SECRETS = ("PWD", "OLDPWD")  # the shell's folders
SHORTEST = 6  # characters; a shorter value would be found in any text
SHORTEST_WORD = 10  # letters only: DB_PASSWORD=postgres is a word of many texts
REFERENCE = re.compile(r"\$\{\s*oc\.env\s*:\s*['\"]?(\w+)['\"]?\s*(?:,[^{}]*)?\}")


def is_secret(name: str, value: str = "") -> bool:
    """Whether an environment variable holds a secret, by its name; a path that exists is none."""
    if name in NO_SECRETS or not NAME.search(name):
        return False
    return not (value.startswith(("/", "~", ".")) and Path(value).expanduser().exists())


def secrets(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Secret value -> the variable that holds it, the longest value first.

    A value is also listed as it stands in JSON, in JSON inside of JSON, in HTML, in an address and in base64,
    where that differs.
    """
    if environ is None:
        # asked for with every printed line: os.environ.items() would decode the whole environment each time
        return _own_secrets(frozenset(getattr(os.environ, "_data", os.environ).items()))
    return _secrets(frozenset(environ.items()))


@functools.lru_cache(maxsize=4)
def _own_secrets(_stored: frozenset[tuple[Any, Any]]) -> dict[str, str]:
    """The secrets of this process, kept while its environment, as Python stores it, is the same."""
    return _secrets(frozenset(os.environ.items()))


@functools.lru_cache(maxsize=4)
def _secrets(environ: frozenset[tuple[str, str]]) -> dict[str, str]:
    found = {
        written: name
        for name, value in environ
        if len(value) >= (SHORTEST_WORD if value.isalpha() else SHORTEST)
        and not value.isdigit()
        and is_secret(name, value)
        for written in _ways(value)
    }
    return dict(sorted(found.items(), key=lambda pair: (-len(pair[0]), pair)))


def _ways(value: str) -> tuple[str, ...]:
    """A value as it is, and as it is written elsewhere."""
    quoted = (value, json.dumps(value)[1:-1], repr(value)[1:-1])  # in a text, in JSON, in Python
    in_json = (json.dumps(one)[1:-1] for one in quoted)
    addresses = (quote(value, safe=""), quote_plus(value))
    return *quoted, *in_json, html.escape(value), *addresses, *_in_base64(value)


def _in_base64(value: str) -> Iterator[str]:
    """A value as it stands in the base64 of a longer text, such as the ``user:key`` of HTTP Basic.

    Three bytes become four characters, so there are three places at which it can begin. The characters at its
    ends, which the text before and after it reaches into, are left out.
    """
    raw = value.encode(errors="surrogatepass")
    for before, first in ((0, 0), (1, 2), (2, 3)):
        text = base64.b64encode(bytes(before) + raw).decode()[first : (before + len(raw)) * 8 // 6]
        yield text
        yield text.translate(str.maketrans("+/", "-_"))  # as addresses and JSON web tokens write it


def reference(name: str) -> str:
    """What stands in place of the value of a variable."""
    return f"${{oc.env:{name}}}"


def environment_value(name: str, default: object = KeyError) -> object:
    """What ``${oc.env:NAME}`` gives a configuration: the value, or for a secret the reference itself.

    Raises:
        InterpolationResolutionError: there is no such variable, and no default is given.
    """
    value = os.environ.get(name)
    if value is None:
        if default is KeyError:
            from omegaconf.errors import InterpolationResolutionError

            what = f"{reference(name)}: the environment has no variable {name}"
            raise InterpolationResolutionError(f"{what}; type it first: export {name}=...")
        return default
    return reference(name) if is_secret(name, value) else value


def masked(text: str) -> str:
    """The text with references in place of secret values."""
    for value, name in secrets().items():
        if value in text:
            text = text.replace(value, reference(name))
    return text


def mask_file(file: Path) -> None:
    """Mask the log of a process that has ended: what its own children wrote did not pass its streams."""
    if not secrets() or not file.is_file():
        return
    text = file.read_text(encoding="utf-8", errors="surrogateescape")
    if (without := masked(text)) != text:
        file.write_text(without, encoding="utf-8", errors="surrogateescape")


def masked_inside(value: Any) -> Any:
    """Plain data with :func:`masked` texts, keys included."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {masked_inside(key): masked_inside(inner) for key, inner in value.items()}
    return [masked_inside(inner) for inner in value] if isinstance(value, list | tuple) else value


def resolved(text: str) -> str:
    """The text with the values of environment variables in place of their references."""
    return REFERENCE.sub(lambda found: os.environ.get(found[1], ""), text)


def resolved_inside(value: Any) -> Any:
    """Plain data with :func:`resolved` texts: for a library's arguments, right before the call."""
    if isinstance(value, str):
        return resolved(value)
    if isinstance(value, dict):
        return {key: resolved_inside(inner) for key, inner in value.items()}
    return [resolved_inside(inner) for inner in value] if isinstance(value, list | tuple) else value


def without_secrets(config: Any) -> Any:
    """A configuration (dataclasses, mappings, lists) with references in place of secret values."""
    if not secrets():
        return config
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        given = {one.name: getattr(config, one.name) for one in dataclasses.fields(config) if one.init}
        made = {name: without_secrets(value) for name, value in given.items()}
        changed = {name: value for name, value in made.items() if value is not given[name]}
        return dataclasses.replace(config, **changed) if changed else config
    if isinstance(config, dict):
        made = {masked_inside(key): without_secrets(value) for key, value in config.items()}
        return config if all(made.get(key) is value for key, value in config.items()) else made
    if isinstance(config, list):
        items = [without_secrets(value) for value in config]
        return config if all(a is b for a, b in zip(items, config, strict=True)) else items
    return masked(config) if isinstance(config, str) else config


@contextmanager
def masked_output() -> Iterator[None]:
    """Standard output and error without secrets; what their encoding cannot hold is escaped, not an error."""
    streams = sys.stdout, sys.stderr
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    written = (io.StringIO() if stream is None else stream for stream in streams)  # closed by the shell: >&-
    sys.stdout, sys.stderr = (cast("TextIO", Masking(stream)) for stream in written)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams


class Masking:
    """A text stream that masks secrets in what is written to it; all else is the stream's own."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the masked text; the length of what was given, as streams return it."""
        try:
            self._stream.write(masked(text))
        except OSError as error:
            if error.errno != errno.EIO:  # the terminal was closed: the run goes on to its record
                raise
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
