"""One rule for the numbers of a configuration, wherever they stand.

A number is finite and fits into 64 bits. A setting whose default is not negative does not become negative,
and one whose default is negative (``max_steps=-1``: no limit) does not go below it, unless the field says
``least=`` (:func:`ptx.setting`). What a setting asks beyond that stands in its own class.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from ptx.compose.fields import OPEN_GROUPS
from ptx.config import RunConfig
from ptx.errors import Problem

MOST = 2**63 - 1


def number_problems(config: RunConfig) -> list[Problem]:
    """The problem of each number of a run that is out of range."""
    return list(_inside("", config))


def field_problems(where: str, value: Any, field: dataclasses.Field[Any]) -> list[Problem]:
    """The problem of each number in the value of one field, which is named ``where``."""
    return list(_of_field(where, value, field))


def _inside(where: str, value: Any) -> Iterator[Problem]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for one in dataclasses.fields(value):
            yield from _of_field(_joined(where, one.name), getattr(value, one.name), one)
    elif isinstance(value, dict):
        steps = where == "recipe"
        for name, inner in value.items():
            place = where if not where and name in OPEN_GROUPS else _joined(where, str(name))
            yield from _inside(place if not steps else f"recipe.{name}", inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _inside(where, inner)
    elif fault := _fault_of(value):
        yield Problem(f"{where} must be {fault}, got {_shown(value)}", f"correct {where}")


def _joined(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _of_field(where: str, value: Any, field: dataclasses.Field[Any]) -> Iterator[Problem]:
    default = field.default
    if _is_number(value) and value == default:
        return  # a class may mean something by an infinite default
    if not _is_number(value) or _fault_of(value):
        yield from _inside(where, value)
        return
    bounds = (default, field.metadata.get("least"))
    least: float = min([0, *(bound for bound in bounds if isinstance(bound, int | float))])
    if value < least:
        instead = f"try {where}={default}" if _is_number(default) else "leave it out"
        yield Problem(f"{where} must be at least {least}, got {value}", instead)


def _shown(value: float) -> str:
    try:
        return f"{value:.6g}"
    except OverflowError:
        return f"one of {len(str(abs(int(value))))} digits"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fault_of(value: Any) -> str:
    if not _is_number(value):
        return ""
    if isinstance(value, int):  # one of 400 digits is no float: it cannot be asked whether it is finite
        return f"a number of at most {MOST:,}" if abs(value) > MOST else ""
    return "" if math.isfinite(value) else "a finite number"
