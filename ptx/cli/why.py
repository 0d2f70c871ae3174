"""``ptx store why``: what a key is made of, and why a step was found in the store or had to be made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from ptx.cli.human import age_text, size_text
from ptx.cli.keys import (
    Known,
    asked_by,
    differences,
    key_named,
    known_of,
    open_store,
    products_of,
    records_of,
    runs_named,
    shown,
)
from ptx.errors import ConfigError, Problem
from ptx.report import Record
from ptx.report.text.details import flat


def explain(out: Path, names: list[str]) -> Iterator[str]:
    """The lines that answer ``ptx store why``."""
    known = known_of(open_store(out), records_of(out))
    keys = [key_named(name, known) for name in names]
    if len(names) > 1 and (keys[0] is None) != (keys[1] is None):
        raise ConfigError(Problem("a key cannot be compared with a run", "give two keys, or two runs"))
    if len(names) == 1:
        if keys[0] is not None:
            yield from _explain_key(known[keys[0]], known)
            return
        for record in _runs(out, names[0]):
            yield from _explain_run(record, known)
    elif keys[0] is not None and keys[1] is not None:
        yield from _compare(known[keys[0]], known[keys[1]])
    else:
        before, after = (_runs(out, name, one=True)[0] for name in names)
        yield from _compare_runs(before, after, known)


def _runs(out: Path, name: str, *, one: bool = False) -> list[Record]:
    try:
        return runs_named(out, name, one=one)
    except ConfigError as error:
        hint = Problem(
            "nor does a key begin so", "ptx store ls lists keys, at least four characters of one are needed"
        )
        raise ConfigError([*error.problems, *([] if one and "holds" in str(error) else [hint])]) from error


def _explain_key(one: Known, known: dict[str, Known]) -> Iterator[str]:
    yield f"{one.kind} {one.key}"
    yield f"  {_whereabouts(one)}"
    if one.runs:
        yield f"  asked for by {', '.join(f'{record.sweep_name}/{record.id}' for record in one.runs)}"
    yield from _aligned((name, shown(value)) for name, value in flat(one.ingredients).items())
    yield from _against_nearest(one, known)


def _whereabouts(one: Known) -> str:
    if one.entry is None:
        return "not in the store"
    now = time.time()
    used = f"last used {age_text(now - one.entry.used)} ago"
    return (
        f"in the store: {size_text(one.entry.bytes)}, built {age_text(now - one.entry.created)} ago, {used}"
    )


def _explain_run(record: Record, known: dict[str, Known]) -> Iterator[str]:
    yield f"{record.sweep_name}/{record.id} ({record.status})"
    done = {
        part.get("key"): part for kind in ("steps", "evaluations") for part in record.result.get(kind) or []
    }
    done |= {product.get("key"): product for product in products_of(record)}
    for asked in asked_by(record):
        one = known[asked.key]
        shared = done.get(asked.key, {}).get("shared")
        yield f"  {asked.name}  {one.short}  {_fate(one, shared=shared)}"
        if not shared:
            yield from (f"  {line}" for line in _against_nearest(one, known))


def _fate(one: Known, *, shared: bool | None) -> str:
    """Hit or miss, in words; ``shared`` is None when the run has not come to it."""
    if shared is None:
        return (
            "hit: is in the store and will be taken"
            if one.entry
            else "miss: is not in the store and will be made"
        )
    gone = "" if one.entry else " (and has since left the store)"
    return ("hit: was in the store" if shared else "miss: was not in the store, this run made it") + gone


def _against_nearest(one: Known, known: dict[str, Known]) -> Iterator[str]:
    """In what a result differs from the most similar one that was there before it."""
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
        and _kin(one, other)
    ]
    if not near:
        yield "  nothing of this kind and choice was in the store before"
        return
    changes, _, other = min(near, key=lambda found: (len(found[0]), found[1]))
    yield f"  nearest before it: {other.short}; what differs:"
    yield from _changes(changes)


def _kin(one: Known, other: Known) -> bool:
    return one.kind == other.kind and all(
        one.ingredients.get(name) == other.ingredients.get(name) for name in ("kind", "choice")
    )


def _changes(changes: list[tuple[str, str, str]]) -> Iterator[str]:
    for name, before, after in changes:
        hint = (
            f"   (another input: ptx store why {before} {after})"
            if name == "input.step" and "(" not in before + after
            else ""
        )
        yield f"    {name}  {before} -> {after}{hint}"


def _compare(one: Known, other: Known) -> Iterator[str]:
    yield f"{one.kind} {one.short} ({one.name}) -> {other.kind} {other.short} ({other.name})"
    if one.key == other.key:
        yield "    the same key"
    yield from _changes(differences(one.ingredients, other.ingredients))


def _compare_runs(one: Record, other: Record, known: dict[str, Known]) -> Iterator[str]:
    """Step by step in order, evaluations by name."""
    yield f"{one.sweep_name}/{one.id} -> {other.sweep_name}/{other.id}"
    before, after = _numbered(one), _numbered(other)
    for place in dict.fromkeys([*before, *after]):
        if place not in before or place not in after:
            lone, where = (before[place], one) if place in before else (after[place], other)
            yield f"  {lone.name}  {lone.short}  only in {where.id}"
        else:
            yield from (f"  {line}" for line in _compare(known[before[place].key], known[after[place].key]))


def _numbered(record: Record) -> dict[tuple[str, object], Known]:
    asked = list(asked_by(record))
    return {(one.kind, number if one.kind == "steps" else one.name): one for number, one in enumerate(asked)}


def _aligned(pairs: Iterator[tuple[str, str]]) -> Iterator[str]:
    found = list(pairs)
    width = max((len(name) for name, _ in found), default=0)
    yield from (f"  {name:<{width}}  {value}" for name, value in found)
