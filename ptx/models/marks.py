"""Marks around the assistant's tokens in a chat template: ``{% generation %}``.

For well-known templates without them, TRL ships a version that has them; it is used for training only, and
the model keeps its own template. TRL's versions are read from its folder without importing it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")


def is_marked(source: str) -> bool:
    """Whether a template marks the assistant's tokens."""
    return GENERATION.search(source) is not None


def training_source(source: str) -> str:
    """The template itself if it marks the assistant's tokens, else TRL's version of it where there is one."""
    return source if is_marked(source) else _versions().get(source, source)


@cache
def _versions() -> dict[str, str]:
    """Well-known templates -> the version of each with marks (TRL's ``NAME_training.jinja``)."""
    trl = find_spec("trl")
    found = {}
    for folder in trl.submodule_search_locations or () if trl else ():
        for file in Path(folder).glob("chat_templates/*_training.jinja"):
            plain = file.with_name(file.name.replace("_training.jinja", ".jinja"))
            if plain.exists():
                found[plain.read_text(encoding="utf-8")] = file.read_text(encoding="utf-8")
    return found
