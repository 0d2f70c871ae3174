"""The ways in which chat templates write tool calls, each with the function that reads them back.

Every reader takes the text of a reply and the tools, and gives all calls or raises. What a runtime leaves out
of a reply (special tokens, such as ``[TOOL_CALLS]``) may be missing.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Tools = Sequence[Mapping[str, Any]]
NAMES, ARGUMENTS = ("name", "tool_name", "function"), ("arguments", "parameters", "args")
#: a name of a function, alone or in a path (``math.area``)
NAME = r"[A-Za-z_][\w.\-]*"


class Call(NamedTuple):
    """One call of a tool."""

    name: str
    arguments: dict[str, Any]


class UnreadableCallError(ValueError):
    """A reply that begins a call which cannot be read; the message says what is wrong."""


class Way(NamedTuple):
    """A way to write calls: what shows that one begins, and the function that reads all calls of a reply."""

    name: str
    begins: re.Pattern[str]
    read: Callable[[str, Tools], list[Call]]


def _tagged(text: str, tools: Tools) -> list[Call]:
    """``<tool_call>`` around JSON, ``<function=NAME>`` or ``NAME <arg_key>``; the last may be open."""
    found: list[Call] = []
    for piece in re.findall(r"<tool_call>(.*?)(?=</tool_call>|<tool_call>|\Z)", text, re.DOTALL):
        inner = piece.strip()
        if "<function=" in inner:
            found += _function_tags(inner, tools)
        elif "<arg_key>" in inner or re.fullmatch(NAME, inner):
            found.append(_with_keys(inner, tools))
        else:
            found += _from_json(inner)
    return found


def _function_tags(text: str, tools: Tools) -> list[Call]:
    """``<function=NAME>`` around JSON (Llama 3.1, functionary) or ``<parameter=NAME>`` tags (Qwen-Coder)."""
    found = []
    for name, body in re.findall(rf"<function=({NAME})>?(.*?)(?=</function>|<function=|\Z)", text, re.DOTALL):
        pairs = re.findall(r"<parameter=([^>\n]+)>(.*?)(?=</parameter>|<parameter=|\Z)", body, re.DOTALL)
        if pairs or not body.strip():
            found.append(
                Call(name, _typed(name, [(key.strip(), _line(value)) for key, value in pairs], tools))
            )
        else:
            found.append(Call(name, _object(body)))
    if not found:
        raise UnreadableCallError(f"a call begins without a name: {_shown(text)}")
    return found


def _with_keys(text: str, tools: Tools) -> Call:
    """GLM's ``NAME <arg_key>K</arg_key> <arg_value>V</arg_value>``."""
    name = text.partition("<arg_key>")[0].strip()
    pairs = re.findall(r"<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)</arg_value>", text, re.DOTALL)
    if not re.fullmatch(NAME, name) or text.count("<arg_key>") != len(pairs):
        raise UnreadableCallError(f"arguments without an end: {_shown(text)}")
    return Call(name, _typed(name, [(key.strip(), _line(value)) for key, value in pairs], tools))


def _named(text: str, _: Tools) -> list[Call]:
    """A name before a JSON object: Mistral, functionary, DeepSeek, gpt-oss."""
    found, place = [], 0
    while match := NAMED.search(text, place):
        name, start = match["name"].removeprefix("functions."), match.end() - 1
        value, place = _value(text, start)
        if not isinstance(value, dict):
            raise UnreadableCallError(f"the arguments of {name} are no object: {_shown(value)}")
        if name != "all":  # functionary's word for a text to all
            found.append(Call(name, value))
    return found


def _json_alone(text: str, _: Tools) -> list[Call]:
    """A reply that is JSON: one call, a list of calls, or several that follow each other."""
    return _from_json(re.sub(r"^```(?:json)?|```$", "", _marks_off(text)).strip())


def _pythonic(text: str, _: Tools) -> list[Call]:
    """``[f(a=1), g(b="x")]``."""
    body = re.sub(r"^```(?:tool_code|python)?|```$", "", _marks_off(text)).strip()
    try:
        tree = ast.parse(body, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnreadableCallError(f"no Python expression: {_shown(text)}") from error
    nodes = tree.elts if isinstance(tree, ast.List | ast.Tuple) else [tree]
    return [_python_call(node) for node in nodes]


def _python_call(node: ast.expr) -> Call:
    if not isinstance(node, ast.Call) or node.args or any(one.arg is None for one in node.keywords):
        raise UnreadableCallError(f"no call with named arguments: {_shown(ast.unparse(node))}")
    arguments = {}
    for one in node.keywords:
        try:
            arguments[str(one.arg)] = ast.literal_eval(one.value)
        except (ValueError, RecursionError):
            arguments[str(one.arg)] = ast.unparse(one.value)  # a variable, or a sum: its text
    return Call(ast.unparse(node.func), arguments)


def _actions(text: str, _: Tools) -> list[Call]:
    """Cohere's list of ``tool_name`` and ``parameters``; ``directly_answer`` calls nothing."""
    start = re.search(r"[\[{]", text)
    if not start:
        raise UnreadableCallError(f"an action without JSON: {_shown(text)}")
    value, _end = _value(text, start.start())
    return [call for call in _calls_in(value) if call.name != "directly_answer"]


def _glaive(text: str, _: Tools) -> list[Call]:
    """``<functioncall> {"name": "f", "arguments": '{"a": 1}'}``: the arguments may be a quoted text."""
    found = []
    for piece in re.findall(
        r"<functioncall>(.*?)(?=<functioncall>|<\|endoftext\|>|</functioncall>|\Z)", text, re.DOTALL
    ):
        plain = re.sub(r"'(\{.*\})'", r"\1", piece.strip(), count=1, flags=re.DOTALL)
        found += _from_json(plain)
    return found


def _gemma(text: str, _: Tools) -> list[Call]:
    """Gemma 4's ``<|tool_call>call:NAME{key:value}<tool_call|>``: JSON with bare keys and its own quotes."""
    found = []
    for name, body in re.findall(
        rf"call:({NAME})(\{{.*?\}})(?=<tool_call\|>|\s*<\|tool_call>|\s*\Z)", text, re.DOTALL
    ):
        pieces = body.split('<|"|>')
        for place in range(0, len(pieces), 2):
            pieces[place] = re.sub(r"([{,]\s*)([\w.\-]+)(?=\s*:)", r'\1"\2"', pieces[place])
        pieces[1::2] = [json.dumps(piece, ensure_ascii=False) for piece in pieces[1::2]]
        found.append(Call(name, _object("".join(pieces))))
    if not found:
        raise UnreadableCallError(f"a call without an end: {_shown(text)}")
    return found


#: what DeepSeek writes around a name: a full-width bar, and a block for a space
BEGIN, BETWEEN = r"<\uff5ctool\u2581call\u2581begin\uff5c>", r"<\uff5ctool\u2581sep\uff5c>"
#: gpt-oss: what stands between the name and the arguments
HARMONY = r"(?:<\|channel\|>\w+)?\s*(?:<\|constrain\|>)?\s?(?:json)?<\|message\|>|\s+json"
FENCE = r"(?:```(?:json|tool_code|python)?\s*)?"
NAMED = re.compile(
    rf"(?:>>>|\[TOOL_CALLS\]|to=|{BEGIN}(?:function{BETWEEN})?|(?<![\w.\"']))(?P<name>{NAME})"
    rf"(?:\[CALL_ID\]\w+)?(?:\[ARGS\]|{BETWEEN}|{HARMONY})?\s*{FENCE}\{{"
)
OPENS_JSON = rf"^\s*(?:<\|python_tag\|>|\[TOOL_CALLS\]|<tool_calls>|<TOOLCALL>)?\s*{FENCE}(?:\{{|\[\s*[{{\]])"
OPENS_PYTHON = (
    r"^\s*(?:<\|tool_call_start\|>|<\|python_start\|>|<\|python_tag\|>|<TOOLCALL>)?\s*"
    rf"{FENCE}\[?\s*{NAME}\([^)]*(?:=|\))"
)
OPENS_NAMED = (
    rf"^\s*(?:>>>|\[TOOL_CALLS\])?{NAME}(?:(?:\[CALL_ID\]\w+)?\[ARGS\])?\s*\{{"
    rf"|>>>{NAME}|{BEGIN}|to=functions\.|<\|message\|>\{{"
)
#: in the order in which a template is tried; what stands first also reads mixed forms
WAYS = (
    Way("tool_call tags", re.compile("<tool_call>"), _tagged),
    Way("Gemma", re.compile(r"<\|tool_call>"), _gemma),
    Way("function tags", re.compile("<function="), _function_tags),
    Way("functioncall", re.compile("<functioncall>"), _glaive),
    Way("actions", re.compile(r"^\s*Action:|\"tool_name\"", re.MULTILINE), _actions),
    Way("JSON", re.compile(OPENS_JSON), _json_alone),
    Way("Python", re.compile(OPENS_PYTHON), _pythonic),
    Way("name and JSON", re.compile(OPENS_NAMED), _named),
)
MARKS = re.compile(
    r"<\|python_tag\|>|\[/?TOOL_CALLS\]|</?tool_calls>|</?TOOLCALL>|<\|tool_call_(?:start|end)\|>"
    r"|<\|python_(?:start|end)\|>|<\|(?:eot_id|eom_id|im_end|eot|eom)\|>|</s>"
)


def _marks_off(text: str) -> str:
    return MARKS.sub("", text).strip()


def _from_json(text: str) -> list[Call]:
    found: list[Call] = []
    place = 0
    while place < len(text):
        value, place = _value(text, place)
        found += _calls_in(value)
        gap = re.compile(r"[\s;,]*").match(text, place)
        place = gap.end() if gap else place
        if place < len(text) and text[place] not in "{[":
            break  # words behind the calls
    return found


def _calls_in(value: Any) -> Iterator[Call]:
    """The calls of a JSON value: an object with a name and arguments, or a list of such."""
    for one in value if isinstance(value, list) else [value]:
        inner = one.get("function", one) if isinstance(one, dict) else one
        if isinstance(inner, str):
            inner = one
        if not isinstance(inner, dict):
            raise UnreadableCallError(f"no call: {_shown(one)}")
        name = next((inner[key] for key in NAMES if isinstance(inner.get(key), str)), None)
        given: Any = next((inner[key] for key in ARGUMENTS if inner.get(key) is not None), {})
        if name is None:
            raise UnreadableCallError(f"a call without a name: {_shown(one)}")
        yield Call(name, _object(given) if isinstance(given, str) else _checked(name, given))


def _checked(name: str, arguments: Any) -> dict[str, Any]:
    if not isinstance(arguments, dict):
        raise UnreadableCallError(f"the arguments of {name} are no object: {_shown(arguments)}")
    return arguments


def _object(text: str) -> dict[str, Any]:
    value, _ = _value(text.strip() or "{}", 0)
    return _checked("the call", value)


def _value(text: str, start: int) -> tuple[Any, int]:
    """The JSON value that begins at ``start``, and where it ends; texts may hold line breaks."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, start)
    except (ValueError, RecursionError) as error:
        raise UnreadableCallError(f"no JSON: {_shown(text[start:])}") from error


def _typed(name: str, pairs: Sequence[tuple[str, str]], tools: Tools) -> dict[str, Any]:
    """Arguments that were written as text, with the types of the tool's schema; texts stay texts."""
    schemas = next((_properties(tool) for tool in tools if _inner(tool).get("name") == name), {})
    return {key: _read_as(value, schemas.get(key)) for key, value in pairs}


def _read_as(value: str, schema: Any) -> Any:
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    if kind in ("string", "any"):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(value.strip(), value)


def _inner(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = tool.get("function", tool)
    return inner if isinstance(inner, Mapping) else {}


def _properties(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    found = (_inner(tool).get("parameters") or {}).get("properties") or {}
    return found if isinstance(found, Mapping) else {}


def _line(text: str) -> str:
    """A value between tags that stand on lines of their own."""
    return text.removeprefix("\n").removesuffix("\n")


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
