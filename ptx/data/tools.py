"""Tools in rows: calls and definitions in the form of OpenAI, from lists, objects or their JSON text."""

from __future__ import annotations

import json
from typing import Any

Turn = dict[str, Any]


class RowError(ValueError):
    """A row that cannot be converted; the message says why, and ``fix`` what to do where that is known."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.fix = fix


def shown(value: Any) -> str:
    """A value as text of at most 60 characters, for an error message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def tool_calls(value: Any) -> list[Turn]:
    """Tool calls, a list or its JSON text, in the form of OpenAI with the arguments as an object.

    Raises:
        RowError: when there is something that is no call.
    """
    calls = parsed(value)
    if not calls:
        return []
    calls = [calls] if isinstance(calls, dict) else calls
    if not isinstance(calls, list):
        raise RowError(f"tool calls must be a list of name and arguments, got {shown(value)}")
    return [_call(call) for call in calls]


def _call(call: Any) -> Turn:
    inner = call.get("function", call) if isinstance(call, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise RowError(f"a tool call must have a name and arguments, got {shown(call)}")
    arguments = _unwrapped(inner.get("arguments", inner.get("parameters")))
    kept = {"id": call["id"]} if call.get("id") else {}
    return {
        **kept,
        "type": "function",
        "function": {"name": inner["name"], "arguments": {} if arguments in (None, "") else arguments},
    }


def _unwrapped(arguments: Any) -> Any:
    """The arguments of a call; their JSON text may have been written as JSON once more."""
    if isinstance(arguments, str) and arguments.strip()[:1] == '"':
        try:
            arguments = json.loads(arguments)
        except ValueError:
            return arguments
    return parsed(arguments)


def tool_definitions(value: Any) -> list[Turn]:
    """Definitions of tools, each ``{"type": "function", "function": {...}}``, from a list or its JSON text.

    Each definition of the list may be JSON text of its own (When2Call).

    Raises:
        RowError: when there is something that is no definition.
    """
    tools = parsed(value)
    if not tools:
        return []
    tools = [tools] if isinstance(tools, dict) else tools
    tools = [parsed(tool) for tool in tools] if isinstance(tools, list) else tools
    if not isinstance(tools, list) or not all(
        isinstance(tool, dict) and ("name" in tool or "type" in tool or "function" in tool) for tool in tools
    ):
        fix = "write a list of definitions with name, description and parameters, or data.drop=[tools]"
        raise RowError(f"tools must hold definitions of tools, got {shown(value)}", fix)
    return [
        {"type": "function", "function": tool} if "name" in tool and "type" not in tool else tool
        for tool in map(_without_null_properties, map(_with_parameters, tools))
    ]


#: the schema of a tool in Anthropic's definitions and in MCP's, and what says nothing of the tool
SCHEMAS = ("input_schema", "inputSchema")
OF_REQUESTS = ("cache_control", "type")


def _with_parameters(tool: Turn) -> Turn:
    """A definition of Anthropic's or MCP's with its schema where OpenAI's have it; any other as it is."""
    name = next((name for name in SCHEMAS if isinstance(tool.get(name), dict)), "")
    if not name or "name" not in tool:
        return tool
    kept = {key: value for key, value in tool.items() if key not in (*SCHEMAS, *OF_REQUESTS)}
    return {**kept, "parameters": tool[name]}


def _without_null_properties(tool: Turn) -> Turn:
    """The definition without the parameters that ``datasets`` wrote in from other tools, as null."""
    for key in ("function", "parameters", "properties"):
        if isinstance(tool.get(key), dict):
            inner = tool[key]
            kept = {name: item for name, item in inner.items() if item is not None}
            return {**tool, key: kept if key == "properties" else _without_null_properties(inner)}
    return tool


def as_defined(turns: list[Turn], tools: list[Turn]) -> list[Turn]:
    """The turns without null arguments that the tool does not have (``datasets`` wrote them in)."""
    known = parameters_of(tools)
    return [
        {**turn, "tool_calls": [_call_as_defined(call, known) for call in turn["tool_calls"]]}
        if "tool_calls" in turn
        else turn
        for turn in turns
    ]


def parameters_of(tools: list[Turn]) -> dict[str, dict[str, Any]]:
    """The name of each tool that says which parameters it has -> their schemas (xLAM's stand there bare)."""
    inners = [tool.get("function", tool) for tool in tools]
    found = {
        inner["name"]: inner["parameters"].get("properties", inner["parameters"])
        for inner in inners
        if isinstance(inner, dict)
        and isinstance(inner.get("name"), str)
        and isinstance(inner.get("parameters"), dict)
    }
    return {name: known or {} for name, known in found.items() if isinstance(known, dict | None)}


def _call_as_defined(call: Turn, known: dict[str, dict[str, Any]]) -> Turn:
    name, arguments = call["function"]["name"], call["function"]["arguments"]
    if name not in known or not isinstance(arguments, dict):
        return call
    return {**call, "function": {"name": name, "arguments": _as_schema(arguments, known[name])}}


def _as_schema(value: Any, properties: dict[str, Any]) -> Any:
    """An object without the nulls that its schema does not name, at every depth that the schema describes."""
    if not isinstance(value, dict):
        return value
    return {
        key: _inner(item, properties.get(key))
        for key, item in value.items()
        if item is not None or key in properties
    }


def _inner(value: Any, schema: Any) -> Any:
    if not isinstance(schema, dict):
        return value
    if isinstance(value, list):
        return [_inner(item, schema.get("items")) for item in value]
    inside = schema.get("properties")
    return _as_schema(value, inside) if isinstance(inside, dict) else value


def defines(text: str, tool: Turn) -> bool:
    """Whether a text holds the definition of a tool: its name, its description and all its parameters."""
    inner = tool.get("function", tool)
    (names, *_) = [*parameters_of([tool]).values(), {}]
    wanted = [inner.get("name"), inner.get("description"), *names]
    return bool(text) and all(str(word) in text for word in wanted if word)


def parsed(value: Any) -> Any:
    """The value of JSON text that holds a list or an object; anything else as it is."""
    if isinstance(value, str) and value.strip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
