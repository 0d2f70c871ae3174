"""The types of what a record holds: a record may be damaged, or a stranger's."""

from __future__ import annotations

from typing import Any

#: field -> its type; a list is one of objects unless it stands in PLAIN
RUN: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("config", "model", "data", "varied", "versions", "host"), dict),
    **dict.fromkeys(("id", "label", "verb", "sweep", "created", "command", "device"), str),
    **dict.fromkeys(("steps", "evaluations", "overrides"), list),
    "baseline": bool,
    "seed": int,
}
RESULT: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("model", "error"), dict),
    **dict.fromkeys(("status", "started", "finished"), str),
    **dict.fromkeys(("metrics", "steps", "evaluations"), list),
    "seconds": (int, float),
}
SWEEP: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("axes", "steps"), dict),
    **dict.fromkeys(("name", "verb", "command", "created"), str),
    **dict.fromkeys(("runs", "notes"), list),
}
#: the fields of each entry of steps and evaluations
PART: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("name", "kind", "key", "rows"), str),
    **dict.fromkeys(("seconds", "bytes"), (int, float)),
    "shared": bool,
}
#: the fields of a configuration that a report reads
CONFIG: dict[str, type | tuple[type, ...]] = {"eval": dict}
PARTS = ("steps", "evaluations")
LARGEST = 1e15  # seconds or bytes
PLAIN = ("overrides", "runs", "notes")
FIELDS = {"run.json": RUN, "result.json": RESULT, "sweep.json": SWEEP}


def well_typed(file: str, value: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The fields of a record's file that have their type, and a sentence on each that has not."""
    kept, wrong = {}, []
    for name, found in value.items():
        wanted = FIELDS.get(file, {}).get(name)
        if wanted is None or found is None:
            kept[name] = found
        elif not _is(found, wanted, plain=name in PLAIN):
            wrong.append(f"{file}: {name} is {found!r:.60}")
        elif name == "config":
            kept[name] = _part(found, f"{file}: config", wrong, CONFIG)
        elif name in PARTS and isinstance(found, list):
            kept[name] = [_part(one, f"{file}: {name}[{place}]", wrong) for place, one in enumerate(found)]
        else:
            kept[name] = found
    return kept, wrong


def _part(
    given: dict[str, Any],
    place: str,
    wrong: list[str],
    types: dict[str, type | tuple[type, ...]] = PART,
) -> dict[str, Any]:
    """A step, an evaluation or a configuration, with the fields that have their type."""
    kept = {}
    for name, found in given.items():
        wanted = types.get(name)
        if wanted is None or found is None or _is(found, wanted, plain=False):
            kept[name] = found
        else:
            wrong.append(f"{place}.{name} is {found!r:.60}")
    return kept


def _is(value: Any, wanted: type | tuple[type, ...], *, plain: bool) -> bool:
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        return False
    if isinstance(value, int | float) and not abs(value) < LARGEST:
        return False
    kind = str if plain else dict
    return not isinstance(value, list) or all(isinstance(one, kind) for one in value)
