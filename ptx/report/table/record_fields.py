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
PLAIN = ("overrides", "runs", "notes")
FIELDS = {"run.json": RUN, "result.json": RESULT, "sweep.json": SWEEP}


def well_typed(file: str, value: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The fields of a record's file that have their type, and a sentence on each that has not."""
    kept, wrong = {}, []
    for name, found in value.items():
        wanted = FIELDS.get(file, {}).get(name)
        if wanted is None or found is None or _is(found, wanted, plain=name in PLAIN):
            kept[name] = found
        else:
            wrong.append(f"{file}: {name} is {found!r:.60}")
    return kept, wrong


def _is(value: Any, wanted: type | tuple[type, ...], *, plain: bool) -> bool:
    if not isinstance(value, wanted):
        return False
    kind = str if plain else dict
    return not isinstance(value, list) or all(isinstance(one, kind) for one in value)
