"""Finds keys: in the entries of the store, and in the steps and evaluations of recorded runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptx.cli.report import find
from ptx.errors import ConfigError, Problem
from ptx.report import Record, load_records
from ptx.report.text.details import flatten
from ptx.store.store import Entry, Store

KEY_LENGTH = 12  # characters of a key that are shown
ABSENT = "(absent)"


@dataclass
class KnownKey:
    """A key with what is known of it: its entry in the store (if any) and the runs that need it."""

    kind: str
    key: str
    ingredients: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    entry: Entry | None = None
    runs: list[Record] = field(default_factory=list)
    part: str = ""  # what the first run that needs it calls it, such as dpo_2

    @property
    def short(self) -> str:
        """The beginning of the key, as it is shown and may be typed."""
        return self.key[:KEY_LENGTH]

    @property
    def called(self) -> str:
        """The name of the step in the run that needs it, or its choice."""
        return self.part or self.name


def open_store(out: Path) -> Store:
    """Return the store of an output folder.

    Raises:
        ConfigError: there is none.
    """
    store = Store(out / "store")
    if not store.root.is_dir():
        raise ConfigError(Problem(f"no store in {out}", "name the output folder of your runs: --out=OUT"))
    return store


def records_of(out: Path) -> list[Record]:
    """Return every recorded run of an output folder."""
    runs = out / "runs"
    return load_records([runs]) if runs.is_dir() and any(runs.glob("*/*")) else []


def requested_by(record: Record) -> Iterator[KnownKey]:
    """Yield what a run needs: its steps in order, its evaluations, and the products of its finished steps."""
    for kind in ("steps", "evaluations"):
        for part in record.run.get(kind) or []:
            yield KnownKey(kind, str(part.get("key")), part.get("ingredients") or {}, str(part.get("name")))
    for product in products_of(record):
        yield KnownKey("products", str(product.get("key")), {}, str(product.get("name")))


def products_of(record: Record) -> list[dict[str, Any]]:
    """Return the products (such as a teacher's answers) that the finished steps of a run have used."""
    return [product for step in record.result.get("steps") or [] for product in step.get("products") or []]


def known_keys(store: Store, records: Iterable[Record]) -> dict[str, KnownKey]:
    """Return key -> what is known of it, for every entry of the store and every recorded run."""
    known = {
        entry.key: KnownKey(entry.kind, entry.key, entry.ingredients, _name(entry), entry)
        for entry in store.entries()
    }
    for record in records:
        for asked in requested_by(record):
            one = known.setdefault(asked.key, asked)
            one.runs.append(record)
            one.part = one.part or asked.name
            one.ingredients = one.ingredients or asked.ingredients
    return known


def _name(entry: Entry) -> str:
    return str(entry.ingredients.get("choice", "damaged"))


def find_key(text: str, known: Iterable[str]) -> str | None:
    """Return the key that begins with ``text``; None if there is none.

    Raises:
        ConfigError: several keys begin with it.
    """
    if not re.fullmatch(r"[0-9a-f]{4,64}", text):
        return None
    found = sorted(key for key in known if key.startswith(text))
    if len(found) > 1:
        raise ConfigError(
            Problem(
                f"{len(found)} keys begin with {text}",
                f"type more of it: {', '.join(key[:KEY_LENGTH] for key in found[:6])}",
            )
        )
    return found[0] if found else None


def find_runs(out: Path, text: str, *, one: bool = False) -> list[Record]:
    """Return the runs of a sweep or run, which is given by name or folder.

    Raises:
        ConfigError: there is none, or there are several and ``one`` was asked for.
    """
    records = load_records([find(out, text)])
    if one and len(records) > 1:
        names = ", ".join(record.id for record in records[:6])
        raise ConfigError(Problem(f"{text} holds {len(records)} runs", f"name one: {names}"))
    return records


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return (field, value before, value after) for each field in which two nested values differ."""
    ours, theirs = flatten(before), flatten(after)
    return [
        (name, shown(ours.get(name, ABSENT)), shown(theirs.get(name, ABSENT)))
        for name in dict.fromkeys([*ours, *theirs])
        if ours.get(name, "{}") != theirs.get(name, "{}")  # an empty group equals a missing one
    ]


def shown(value: str) -> str:
    """Return a value on one line; digests are cut to the length at which keys are shown."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", " ".join(value.split()))
