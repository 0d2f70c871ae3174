"""Calls against the accepted ones: the rules of BFCL's ``ast_checker`` for Python, written anew.

An expected call holds for each parameter the list of accepted values; ``""`` among them says that it may be
left out. The recorded verdicts in the tests hold these rules to the published ones, lapses included; what is
laxer than it looks is said where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ptx.models.call_ways import Call

Accepted = Mapping[str, Sequence[Any]]
Schema = Mapping[str, Any]
#: JSON schema's and BFCL's words for a type -> the type of the value; BFCL's "any" means a text
TYPES: dict[str, type] = {
    "string": str,
    "any": str,
    "integer": int,
    "float": float,
    "number": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
    "object": dict,
}
IGNORED = re.compile(r"[ ,./\-_*^]")


class Expected(NamedTuple):
    """A call that is right: the name, and for each parameter the accepted values."""

    name: str
    accepted: Accepted


def plain(text: str) -> str:
    """A text as it is compared: without case, spaces and ``,./-_*^``, so "-1.5" equals "15"."""
    return IGNORED.sub("", text).lower().replace("'", '"')


def verdict(calls: Sequence[Call], expected: Sequence[Expected], tools: Sequence[Schema]) -> str:
    """What is wrong with the calls of a reply; empty where they are right, in any order.

    Each expected call takes the first call left that fits it, as the published checker does.
    """
    if len(calls) != len(expected):
        return f"{len(calls)} calls instead of {len(expected)}"
    left = list(calls)
    for wanted in expected:
        faults = [call_fault(call, wanted, tools) for call in left]
        if "" not in faults:
            return faults[0]
        left.pop(faults.index(""))
    return ""


def call_fault(call: Call, wanted: Expected, tools: Sequence[Schema]) -> str:
    """What is wrong with a call; empty where it is right."""
    if call.name != wanted.name:
        return f"{call.name} instead of {wanted.name}"
    parameters = parameters_of(wanted.name, tools)
    missing = [name for name in parameters.get("required") or () if name not in call.arguments]
    if missing:
        return f"{wanted.name}: {missing[0]} is missing"
    for name in arguments_of(call, wanted):
        if fault := argument_fault(name, call, wanted, parameters):
            return f"{wanted.name}: {fault}"
    return ""


def arguments_of(call: Call, wanted: Expected) -> list[str]:
    """The arguments that a call is judged on: those given, then those that had to be."""
    needed = [name for name, values in wanted.accepted.items() if "" not in values]
    return list(dict.fromkeys([*call.arguments, *needed]))


def argument_fault(name: str, call: Call, wanted: Expected, parameters: Schema) -> str:
    """What is wrong with one argument of a call; empty where it is right."""
    if name not in call.arguments:
        return f"{name} is missing"
    properties = parameters.get("properties") or {}
    if name not in properties or name not in wanted.accepted:
        return f"{name} is unexpected"
    value, accepted, schema = call.arguments[name], list(wanted.accepted[name]), properties[name]
    if is_accepted(value, accepted, schema if isinstance(schema, Mapping) else {}):
        return ""
    return f"{name}={value!r} is not among {accepted!r}"


def is_accepted(value: Any, accepted: list[Any], schema: Schema) -> bool:
    """Whether a value has the type of its schema, or that of the accepted values, and is one of them."""
    word = schema.get("type")
    kind, inner = type_of(word), None
    if kind is list:
        items = schema.get("items")
        inner = type_of(items.get("type")) if isinstance(items, Mapping) else None
    if word == "tuple" and isinstance(value, tuple):
        value = list(value)
    if kind is float and type(value) is int:
        value = float(value)
    shown = next((type(one) for one in accepted if one != ""), None)
    if type(value) is kind:
        if inner is not None and not _typed_inside(value, accepted, inner):
            return False
        foreign = shown is not None and shown is not kind
    elif shown is not None and type(value) is shown:
        foreign = True  # the accepted values have another type than the schema: a name of a variable
    else:
        return False
    return value in accepted if foreign else _equal(value, accepted, kind, inner)


def _equal(value: Any, accepted: list[Any], kind: type | None, inner: type | None) -> bool:
    if kind is dict:
        return any(_same_object(value, one) for one in accepted)
    if kind is list and inner is dict:
        return any(_same_objects(value, one) for one in accepted if isinstance(one, list | str))
    if kind is str:
        return plain(value) in [plain(one) for one in accepted if isinstance(one, str)]
    if kind is list:
        # an accepted "" (may be left out) lets an empty list through
        return _plain_items(value) in [_plain_items(one) for one in accepted if isinstance(one, list | str)]
    return value in accepted


def _typed_inside(value: Any, accepted: list[Any], inner: type) -> bool:
    """Whether all items have the type of the schema's items, or that of some accepted list's; one level."""
    for one in accepted:
        if not isinstance(one, list):
            return True
        shown = next((type(item) for item in one if item != ""), None)
        if all(type(item) in (inner, shown) for item in value):
            return True
    return False


def _same_object(value: Any, accepted: Any) -> bool:
    """Whether every key has an accepted value and none is missing; one level deep."""
    if not (isinstance(value, Mapping) and isinstance(accepted, Mapping)):
        return False
    given = all(
        key in accepted and _plain_item(item) in [_plain_item(one) for one in accepted[key]]
        for key, item in value.items()
    )
    return given and all(key in value or "" in values for key, values in accepted.items())


def _same_objects(value: Sequence[Any], accepted: Sequence[Any]) -> bool:
    return len(value) == len(accepted) and all(map(_same_object, value, accepted))


def _plain_items(value: Sequence[Any]) -> list[Any]:
    return [_plain_item(item) for item in value]


def _plain_item(item: Any) -> Any:
    return plain(item) if isinstance(item, str) else item


def parameters_of(name: str, tools: Sequence[Schema]) -> Schema:
    """The schema of a function's parameters; empty where it is not among the tools."""
    for tool in tools:
        inner = tool.get("function", tool)
        if inner.get("name") == name:
            return inner.get("parameters") or {}
    return {}


def type_of(word: Any) -> type | None:
    """The type of a value by the schema's word; None where it says none, or several."""
    return TYPES.get(word) if isinstance(word, str) else None
