"""The constitution: a YAML or JSON file of principles, each a request for a critique and one for a revision.

Files of the open recipe of Hugging Face (``constitutions`` of ``critic`` and ``revision``, with examples in
``system_chat``) are read as they are.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx import ConfigError, Problem
from ptx.files import digest_of
from ptx.guard.plain_yaml import parse_yaml
from ptx.guard.reading import FileError, read_text
from ptx.models.inspection import inspect
from ptx_critique import Critique

Turns = list[dict[str, str]]
FIX = "a principle has critique and revision, two texts: principles: [{critique: ..., revision: ...}]"
OTHER_NAMES: dict[str, str] = {"critic": "critique"}
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Principle:
    """What a critique is asked for, and what a revision."""

    name: str
    critique: str
    revision: str


@dataclass(frozen=True)
class Constitution:
    """The principles, and turns that stand before every conversation as examples."""

    principles: tuple[Principle, ...]
    examples: Turns

    def drawn(self, seed: int, prompt: str, rounds: int) -> list[Principle]:
        """The principles of the rounds for a prompt; none twice, unless there are fewer than rounds."""
        draw = random.Random(digest_of([seed, prompt]))  # noqa: S311 (not a secret)
        whole, rest = divmod(rounds, len(self.principles))
        return [*self.principles] * whole + draw.sample(self.principles, rest)


def read(path: Path) -> Constitution:
    """The constitution in a file.

    Raises:
        ConfigError: with everything that is wrong with the file.
    """
    try:
        value = parse_yaml(read_text(path), path)
    except (FileError, OSError) as error:
        raise ConfigError(Problem(f"make.constitution: {error}", FIX)) from error
    whole = value if isinstance(value, dict) else {"principles": value}
    listed = _list(whole.get("principles") or whole.get("constitutions"))
    examples = [
        turn for chat in _list(whole.get("examples") or whole.get("system_chat")) for turn in _list(chat)
    ]
    found = _faults(listed, examples)
    if found:
        raise ConfigError([Problem(f"make.constitution: {path}: {fault}", FIX) for fault in found])
    after = str(whole.get("after_revision") or "").strip()
    made = [_principle(place, row, after) for place, row in enumerate(listed, 1)]
    return Constitution(tuple(made), examples)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _faults(listed: list[Any], examples: list[Any]) -> list[str]:
    if not listed:
        return ["there are no principles"]
    found = []
    for place, row in enumerate(listed, 1):
        named = _named(row)
        for part in ("critique", "revision"):
            if not isinstance(named.get(part), str) or not named[part].strip():
                found.append(f"principle {place} has no text for {part}")
    for turn in examples:
        if not (
            isinstance(turn, dict) and turn.get("role") in ROLES and isinstance(turn.get("content"), str)
        ):
            found.append(f"an example must be a turn with role and content, got {turn!r:.60}")
    return found


def _named(row: Any) -> dict[str, Any]:
    return (
        {OTHER_NAMES.get(str(name), str(name)): text for name, text in row.items()}
        if isinstance(row, dict)
        else {}
    )


def _principle(place: int, row: Any, after: str) -> Principle:
    named = _named(row)
    revision = "\n\n".join(filter(None, [named["revision"].strip(), after]))
    return Principle(str(named.get("name") or place), named["critique"].strip(), revision)


def problems(maker: Critique, model: Path) -> list[Problem]:
    """What is wrong with the constitution, and with a model that has no form for a conversation."""
    found: list[Problem] = []
    if not maker.file.is_file():
        what = f"make.constitution: there is no file {maker.constitution}"
        found.append(Problem(what, "name a .yaml or .json file, or type make.constitution=packaged"))
    else:
        try:
            read(maker.file)
        except ConfigError as error:
            found += error.problems
    if not (maker.critic or maker.model) and not inspect(model).has_chat_template:
        what = f"make=critique holds a conversation, and {model} has no chat template"
        found.append(Problem(what, "start from a chat model, or name one: make.model=./FOLDER"))
    return found
