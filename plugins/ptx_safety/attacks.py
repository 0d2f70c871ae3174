"""Attack wrappers: jailbreak templates from a file, applied to requests."""

from __future__ import annotations

import base64
import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ptx import did_you_mean
from ptx.guard.plain_yaml import read_yaml

LEET = str.maketrans("aeiostAEIOST", "431057431057")
ENCODINGS: dict[str, Callable[[str], str]] = {
    "": str,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "leetspeak": lambda text: text.translate(LEET),
}
FIELDS = ("name", "source", "template", "prefill", "encode")


@dataclass(frozen=True)
class Attack:
    """A template around a request; ``prefill`` is the forced beginning of the assistant's reply."""

    name: str
    template: str
    prefill: str = ""
    encode: str = ""
    source: str = ""

    def apply(self, request: str) -> str:
        """The user's turn: the template with the request in it."""
        encoded = ENCODINGS[self.encode](request)
        middle = encoded.find(" ", len(encoded) // 2) + 1 or len(encoded) // 2
        parts = {"{prompt}": encoded, "{first}": encoded[:middle], "{second}": encoded[middle:]}
        text = self.template
        for mark, part in parts.items():
            text = text.replace(mark, part)
        return text


def read_attacks(file: Path, names: Sequence[str] = ()) -> list[Attack]:
    """The templates of a file; with ``names`` only those.

    Raises:
        ValueError: the file does not hold such templates, or not all of those named.
    """
    entries = read_yaml(file)
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{file} must hold a list of templates, each with a name and a template")
    attacks = [_attack(file, number, entry) for number, entry in enumerate(entries, 1)]
    known = [attack.name for attack in attacks]
    twice = [name for name in dict.fromkeys(known) if known.count(name) > 1]
    if twice:
        raise ValueError(f"{file}: two templates are called {twice[0]!r}")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"{file} has no template {unknown[0]!r}, {did_you_mean(unknown[0], known)}")
    return [attack for attack in attacks if not names or attack.name in names]


def _attack(file: Path, number: int, entry: object) -> Attack:
    where = f"{file}: template {number}"
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        raise ValueError(f"{where} must have a name and a template, both text")
    if odd := [key for key in entry if key not in FIELDS]:
        raise ValueError(f"{where} has a field {odd[0]!r}; {did_you_mean(str(odd[0]), FIELDS)}")
    template = entry.get("template", "")
    if not entry.get("name") or not (
        "{prompt}" in template or ("{first}" in template and "{second}" in template)
    ):
        raise ValueError(
            f"{where} needs a name, and a template with {{prompt}}, or {{first}} and {{second}}, in it; got"
            f" {entry}"
        )
    if entry.get("encode", "") not in ENCODINGS:
        raise ValueError(
            f"{where}: encode must be one of {', '.join(name for name in ENCODINGS if name)}, got"
            f" {entry['encode']!r}"
        )
    return Attack(**entry)
