"""Answers to the names that groups and choices had in earlier versions.

A choice lists its former names (``Choice.formerly``), those of groups stand in
:data:`ptx.config.FORMER_GROUPS`. A word with a former name is read as the present one, and a note says so. In
YAML, which people keep, a former name is an error that says what to write.
"""

from __future__ import annotations

from typing import Any

from ptx.compose.fields import OPEN_GROUPS
from ptx.compose.groups import known
from ptx.config import FORMER_GROUPS, GROUPS
from ptx.errors import Problem, did_you_mean
from ptx.hooks.host import Host

#: where a method's own group stands in a dotted name, by the first part of that name
PLACE_IN_METHOD = {"method": 1, "compress": 2, "recipe": 3}


def present_name(host: Host, group: str, name: str) -> str:
    """The name of a choice today; ``name`` itself unless it is a former one. Hydra must be open."""
    if name in known(group):
        return name
    choices = (choice for choice in host.choices.values() if choice.group == group)
    return next((choice.name for choice in choices if name in choice.formerly), name)


def present_word(host: Host, word: str) -> tuple[str, str]:
    """A word (``key=value``) with present names, and a sentence on what was renamed. Hydra must be open."""
    found = _answer(host, word)
    return (found[0], f"{found[1]}: {found[0]} is used") if found else (word, "")


def unknown_choice(host: Host, where: str, group: str, name: str) -> Problem:
    """The problem of a name that no choice of ``group`` has, in YAML at ``where``."""
    present = present_name(host, group, name)
    if present != name:
        return Problem(f"{where}: {group} {name!r} is called {present!r} now", f"write {group}: {present}")
    return Problem(f"{where}: no {group} {name!r}", did_you_mean(name, known(group)))


def former_group_of_step(host: Host, step: str, group: str, value: Any) -> Problem:
    """The problem of a recipe's step that has settings under the former name of a group."""
    present = FORMER_GROUPS[group]
    if isinstance(value, dict):
        written = f"{{{', '.join(f'{present_name(host, present, str(name))}: ...' for name in value)}}}"
    else:
        written = present_name(host, present, str(value))
    where = f"recipe.steps.{step}"
    return Problem(f"{where}.{group} is called {where}.{present} now", f"write {present}: {written}")


def _answer(host: Host, word: str) -> tuple[str, str] | None:
    """The word of today, and what has another name now; None where nothing has."""
    key, _, value = word.partition("=")
    if value in ("True", "False"):
        value = value.lower()  # Hydra writes booleans as Python does
    parts = key.lstrip("+").split(".")
    renamed = _renamed_part(host, parts)
    present = [*parts]
    if renamed is not None:
        place, name = renamed
        present[place] = name
    names = [name.strip() for name in value.strip("[]").split(",")] if ".".join(present) in GROUPS else []
    former = {name: now for name in names if (now := present_name(host, present[0], name)) != name}
    if renamed is None and not former:
        return None
    if former:
        listed = ",".join(former.get(name, name) for name in names)
        value = f"[{listed}]" if value.startswith("[") else listed
    if renamed is not None:
        end = place + 1
        what = f"{'.'.join(parts[:end])} is called {'.'.join(present[:end])} now"
    else:
        what = f"{word}: " + ", ".join(f"{name} is called {now} now" for name, now in former.items())
    return f"{'.'.join(present)}={value}", what


def _renamed_part(host: Host, parts: list[str]) -> tuple[int, str] | None:
    """The position of a former name in a dotted name, and the present name."""
    if parts[0] in FORMER_GROUPS:
        return 0, FORMER_GROUPS[parts[0]]
    place = PLACE_IN_METHOD.get(parts[0], len(parts))
    if place < len(parts) and parts[place] in FORMER_GROUPS:
        return place, FORMER_GROUPS[parts[place]]
    if len(parts) > 1 and parts[0] in OPEN_GROUPS:
        present = present_name(host, parts[0], parts[1])
        return (1, present) if present != parts[1] else None
    return None
