"""``ptx store why``: what a key is computed from, and why a step was found in the store or had to be run."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

from ptx.cli.human import age_text, size_text
from ptx.cli.keys import (
    KEY_LENGTH,
    KnownKey,
    differences,
    find_key,
    find_runs,
    known_keys,
    open_store,
    products_of,
    records_of,
    requested_by,
    shown,
)
from ptx.errors import ConfigError, Problem
from ptx.report import Record
from ptx.report.text.details import flatten


def explain(out: Path, names: list[str]) -> Iterator[str]:
    """Yield the lines of ``ptx store why`` for one or two keys or runs."""
    known = known_keys(open_store(out), records_of(out))
    keys = [find_key(name, known) for name in names]
    if len(names) > 1 and (keys[0] is None) != (keys[1] is None):
        raise ConfigError(Problem("a key cannot be compared with a run", "give two keys, or two runs"))
    if len(names) == 1:
        if keys[0] is not None:
            yield from _explain_key(known[keys[0]], known)
            return
        for record in _runs(out, names[0]):
            yield from _explain_run(record, known)
    elif keys[0] is not None and keys[1] is not None:
        yield from _compare(known[keys[0]], known[keys[1]], known)
    else:
        before, after = (_runs(out, name, one=True)[0] for name in names)
        yield from _compare_runs(before, after, known)


def _runs(out: Path, name: str, *, one: bool = False) -> list[Record]:
    try:
        return find_runs(out, name, one=one)
    except ConfigError as error:
        hint = Problem(
            f"no key begins with {name!r} either",
            "ptx store ls lists the keys; type at least four characters",
        )
        raise ConfigError([*error.problems, *([] if one and "holds" in str(error) else [hint])]) from error


def _explain_key(one: KnownKey, known: dict[str, KnownKey]) -> Iterator[str]:
    yield f"{one.kind} {one.key} ({one.called})"
    yield f"  {_location(one)}"
    if one.runs:
        yield f"  asked for by {', '.join(f'{record.sweep_name}/{record.id}' for record in one.runs)}"
    yield from _aligned(
        (name, _named(shown(value), known)) for name, value in flatten(one.ingredients).items()
    )
    yield from _against_nearest(one, known)


def _location(one: KnownKey) -> str:
    if one.entry is None:
        return "not in the store"
    now = time.time()
    used = f"last used {age_text(now - one.entry.used)} ago"
    return (
        f"in the store: {size_text(one.entry.bytes)}, built {age_text(now - one.entry.created)} ago, {used}"
    )


def _explain_run(record: Record, known: dict[str, KnownKey]) -> Iterator[str]:
    yield f"{record.sweep_name}/{record.id} ({record.status})"
    done = {
        part.get("key"): part for kind in ("steps", "evaluations") for part in record.result.get(kind) or []
    }
    done |= {product.get("key"): product for product in products_of(record)}
    for asked in requested_by(record):
        one = known[asked.key]
        shared = done.get(asked.key, {}).get("shared")
        yield f"  {asked.name}  {one.short}  {_hit_or_miss(one, shared=shared)}"
        if not shared:
            yield from (f"  {line}" for line in _against_nearest(one, known))


def _hit_or_miss(one: KnownKey, *, shared: bool | None) -> str:
    """Return hit or miss, in words; ``shared`` is None if the run has not got to this step."""
    if shared is None:
        return (
            "hit: is in the store and will be used"
            if one.entry
            else "miss: is not in the store and will be built"
        )
    gone = "" if one.entry else " (it is no longer in the store)"
    return ("hit: was in the store" if shared else "miss: was not in the store, this run built it") + gone


def _against_nearest(one: KnownKey, known: dict[str, KnownKey]) -> Iterator[str]:
    """Yield in which fields a result differs from the most similar one that was in the store before it."""
    if not one.ingredients:
        yield "  its ingredients were not recorded"
        return
    limit = one.entry.created if one.entry else float("inf")
    near = [
        (differences(other.ingredients, one.ingredients), -other.entry.created, other)
        for other in known.values()
        if other.entry is not None
        and other.key != one.key
        and other.entry.created < limit
        and _same_choice(one, other)
    ]
    if not near:
        yield "  no result of this kind and choice was in the store before"
        return
    changes, _, other = min(near, key=lambda found: (len(found[0]), found[1]))
    yield f"  nearest before it: {_named(other.short, known)}; what differs:"
    yield from _changes(changes, known)


def _same_choice(one: KnownKey, other: KnownKey) -> bool:
    return one.kind == other.kind and all(
        one.ingredients.get(name) == other.ingredients.get(name) for name in ("kind", "choice")
    )


def _changes(changes: list[tuple[str, str, str]], known: dict[str, KnownKey]) -> Iterator[str]:
    for name, before, after in changes:
        hint = (
            f"   (another input: ptx store why {before} {after})"
            if name == "input.step" and "(" not in before + after
            else ""
        )
        yield f"    {name}  {_named(before, known)} -> {_named(after, known)}{hint}"


def _named(value: str, known: dict[str, KnownKey]) -> str:
    """A value; if it is the beginning of a known key, with the name of that step, which says its round."""
    if not re.fullmatch(rf"[0-9a-f]{{{KEY_LENGTH}}}", value):
        return value
    return next((f"{value} ({one.called})" for one in known.values() if one.short == value), value)


def _compare(one: KnownKey, other: KnownKey, known: dict[str, KnownKey]) -> Iterator[str]:
    yield f"{one.kind} {one.short} ({one.called}) -> {other.kind} {other.short} ({other.called})"
    if one.key == other.key:
        yield "    the same key"
    yield from _changes(differences(one.ingredients, other.ingredients), known)


def _compare_runs(one: Record, other: Record, known: dict[str, KnownKey]) -> Iterator[str]:
    """Yield the differences of two runs: steps are compared in order, evaluations by name."""
    yield f"{one.sweep_name}/{one.id} -> {other.sweep_name}/{other.id}"
    before, after = _numbered(one), _numbered(other)
    for place in dict.fromkeys([*before, *after]):
        if place not in before or place not in after:
            lone, where = (before[place], one) if place in before else (after[place], other)
            yield f"  {lone.name}  {lone.short}  only in {where.id}"
        else:
            pair = known[before[place].key], known[after[place].key]
            yield from (f"  {line}" for line in _compare(*pair, known))


def _numbered(record: Record) -> dict[tuple[str, object], KnownKey]:
    asked = list(requested_by(record))
    return {(one.kind, number if one.kind == "steps" else one.name): one for number, one in enumerate(asked)}


def _aligned(pairs: Iterator[tuple[str, str]]) -> Iterator[str]:
    found = list(pairs)
    width = max((len(name) for name, _ in found), default=0)
    yield from (f"  {name:<{width}}  {value}" for name, value in found)
