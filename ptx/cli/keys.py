"""Keys and where they come from: entries of the store, and the steps and evaluations that recorded runs
name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptx.cli.report import find
from ptx.errors import ConfigError, Problem
from ptx.report import Record, load_records
from ptx.report.text.details import flat
from ptx.store.store import Entry, Store

SHOWN = 12
ABSENT = "(absent)"


@dataclass
class Known:
    """A result that is in the store, or that a run has asked for."""

    kind: str
    key: str
    ingredients: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    entry: Entry | None = None
    runs: list[Record] = field(default_factory=list)

    @property
    def short(self) -> str:
        """The key as it is shown and may be typed."""
        return self.key[:SHOWN]


def open_store(out: Path) -> Store:
    """The store of an output folder."""
    store = Store(out / "store")
    if not store.root.is_dir():
        raise ConfigError(Problem(f"no store in {out}", "say where your runs lie: --out=OUT"))
    return store


def records_of(out: Path) -> list[Record]:
    """Every recorded run of an output folder."""
    runs = out / "runs"
    return load_records([runs]) if runs.is_dir() and any(runs.glob("*/*")) else []


def asked_by(record: Record) -> Iterator[Known]:
    """What a run asked for: its steps in order, then its evaluations, then the products that its finished
    steps were made with.
    """
    for kind in ("steps", "evaluations"):
        for part in record.run.get(kind) or []:
            yield Known(kind, str(part.get("key")), part.get("ingredients") or {}, str(part.get("name")))
    for product in products_of(record):
        yield Known("products", str(product.get("key")), {}, str(product.get("name")))


def products_of(record: Record) -> list[dict[str, Any]]:
    """The products that the steps of a run were made with."""
    return [product for step in record.result.get("steps") or [] for product in step.get("products") or []]


def known_of(store: Store, records: Iterable[Record]) -> dict[str, Known]:
    """Key -> everything that is known of it."""
    known = {
        entry.key: Known(entry.kind, entry.key, entry.ingredients, _name(entry), entry)
        for entry in store.entries()
    }
    for record in records:
        for asked in asked_by(record):
            one = known.setdefault(asked.key, asked)
            one.runs.append(record)
            one.ingredients = one.ingredients or asked.ingredients
    return known


def _name(entry: Entry) -> str:
    return str(entry.ingredients.get("choice", "damaged"))


def key_named(text: str, known: Iterable[str]) -> str | None:
    """The one key that begins with ``text``; None when there is none."""
    if not re.fullmatch(r"[0-9a-f]{4,64}", text):
        return None
    found = sorted(key for key in known if key.startswith(text))
    if len(found) > 1:
        raise ConfigError(
            Problem(
                f"{text} begins {len(found)} keys",
                f"type more of it: {', '.join(key[:SHOWN] for key in found[:6])}",
            )
        )
    return found[0] if found else None


def runs_named(out: Path, text: str, *, one: bool = False) -> list[Record]:
    """The runs of a run's or sweep's name or folder."""
    records = load_records([find(out, text)])
    if one and len(records) > 1:
        names = ", ".join(record.id for record in records[:6])
        raise ConfigError(Problem(f"{text} holds {len(records)} runs", f"name one: {names}"))
    return records


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(Field, value before, value after) wherever two nested values differ."""
    ours, theirs = flat(before), flat(after)
    return [
        (name, shown(ours.get(name, ABSENT)), shown(theirs.get(name, ABSENT)))
        for name in dict.fromkeys([*ours, *theirs])
        if ours.get(name, "{}") != theirs.get(name, "{}")  # an empty group is none
    ]


def shown(value: str) -> str:
    """A value on one line; digests are cut to the length at which keys are shown."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", " ".join(value.split()))
