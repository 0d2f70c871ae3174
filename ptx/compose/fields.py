"""Sets one field of a composed configuration by its dotted name, or reports why that is not possible."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ptx.config import GROUPS, IN_METHOD, IN_METHOD_BY_DEFAULT, Method
from ptx.errors import Problem, did_you_mean

OPEN_GROUPS = [group for group, (_, many) in GROUPS.items() if many]


@dataclass(frozen=True)
class NoSuchField(Problem):
    """A typed field that a run does not have; in a grid it is one only if no run has it."""

    key: str = ""


def set_field(node: DictConfig, key: str, value: Any) -> list[Problem]:
    """Set one field of the composed configuration by its dotted name; returns the problems."""
    if isinstance(value, float) and not math.isfinite(value):  # before a class computes with it
        return [Problem(f"{key} must be a finite number, got {value}", f"correct {key}")]
    *parents, last = key.split(".")
    at: Any = node
    for depth, part in enumerate(parents):
        _fill(at, part)
        at = _child(at, part)
        if not isinstance(at, DictConfig):
            return [_unknown_field(node, parents[: depth + 1], key)]
    typed = OmegaConf.get_type(at)
    if dataclasses.is_dataclass(typed):
        # for DictConfig ``in`` is false for a mandatory value that is missing
        if last not in at.keys():  # noqa: SIM118
            return [_unknown_field(node, [*parents, last], key)]
    elif parents and parents[0] in OPEN_GROUPS and len(parents) == 1:
        return [_unknown_field(node, [*parents, last], key)]
    try:
        OmegaConf.update(at, last, value, merge=True, force_add=True)
    except OmegaConfBaseException as error:
        return [Problem(f"{key}={value}: {str(error).splitlines()[0]}", _expected_type(typed, last))]
    return []


def as_typed(value: Any) -> str:
    """A value as the user writes it: ``[a,b]`` for a list."""
    return f"[{','.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _child(node: Any, part: str) -> Any:
    return node[part] if isinstance(node, DictConfig) and part in node else None


def _fill(node: Any, part: str) -> None:
    """Put the default choice into a field of a method where none was typed."""
    typed = (
        OmegaConf.get_type(node) if part in IN_METHOD_BY_DEFAULT and isinstance(node, DictConfig) else None
    )
    if isinstance(typed, type) and issubclass(typed, Method) and part in node and node[part] is None:
        node[part] = OmegaConf.structured(IN_METHOD_BY_DEFAULT[part])


def _expected_type(typed: Any, name: str) -> str:
    found = (
        [f for f in dataclasses.fields(typed) if f.name == name] if dataclasses.is_dataclass(typed) else []
    )
    return f"it must be {getattr(found[0].type, '__name__', found[0].type)}" if found else ""


def _unknown_field(node: DictConfig, path: list[str], key: str) -> NoSuchField:
    """The problem of ``key`` when there is nothing at ``path``, its first parts."""
    parent: Any = node
    for part in path[:-1]:
        parent = _child(parent, part)
    known = [str(name) for name in parent] if isinstance(parent, DictConfig) else []
    where = ".".join(path[:-1]) or "the configuration"
    if len(path) < len(key.split(".")) and path[0] in OPEN_GROUPS and len(path) == 2:
        return NoSuchField(
            f"{key}: {path[1]!r} is not among {path[0]}={as_typed(known)}",
            f"add it: {path[0]}=[{','.join([*known, path[1]])}]",
            key=key,
        )
    if len(path) == 2 and path[0] == "method" and path[1] in IN_METHOD and path[1] in known:
        return NoSuchField(f"{key}: no {path[1]} is set", f"add {IN_METHOD[path[1]]}", key=key)
    if path[0] in GROUPS and (not known or len(path) == 1):
        return NoSuchField(f"{key}: no {path[0]} is set", f"choose one with {path[0]}=NAME", key=key)
    return NoSuchField(f"{where} has no field {path[-1]!r}", did_you_mean(path[-1], known), key=key)
