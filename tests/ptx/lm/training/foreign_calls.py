"""Two calls, one with nested values and one without arguments, in the forms of foreign files."""

from __future__ import annotations

import json


def _shares(*said, **more):
    return {"conversations": [{"from": role, "value": text} for role, text in said], **more}


NOW = {"name": "now", "description": "the time", "parameters": {"type": "object", "properties": None}}
FIND = {
    "name": "find",
    "description": "finds",
    "parameters": {
        "type": "object",
        "properties": {"q": {"type": "string"}, "n": {"type": "string"}, "opts": {"type": "object"}},
    },
}
DEEP = {
    "q": "Malmö 東京 😀 'x' \"y\"\n",
    "n": "007",
    "opts": {"a": [1, {"b": None}], "c": '{"x": 1}', "d": 1e-7},
}
CALLED = [("find", DEEP), ("now", {})]
JSON_CALLS = json.dumps([{"name": name, "arguments": arguments} for name, arguments in CALLED])
OPENAI = [
    {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    for name, arguments in CALLED
]
RESULTS = [{"role": "tool", "tool_call_id": f"call_{name}", "content": "null"} for name, _ in CALLED]
ASKED, TOLD = {"role": "user", "content": "both"}, {"role": "assistant", "content": "done"}
QUOTED_CALLS = " ".join(
    f"""<functioncall> {{"name": "{name}", "arguments": '{json.dumps(arguments)}'}}"""
    for name, arguments in CALLED
)
PARALLEL = {
    "OpenAI, two system texts": {
        "messages": [
            {"role": "system", "content": "one"},
            {"role": "system", "content": "two"},
            ASKED,
            {"role": "assistant", "content": None, "tool_calls": OPENAI},
            *RESULTS,
            TOLD,
        ],
        "tools": [{"type": "function", "function": tool} for tool in (FIND, NOW)],
        "parallel_tool_calls": True,
    },
    "OpenAI's functions": {
        "messages": [
            ASKED,
            {"role": "assistant", "content": None, "function_call": OPENAI[0]["function"]},
            {"role": "function", "name": "find", "content": "null"},
            {"role": "assistant", "content": None, "function_call": {"name": "now", "arguments": ""}},
            {"role": "function", "name": "now", "content": "noon"},
            TOLD,
        ],
        "functions": [FIND, NOW],
    },
    "xLAM": {
        "query": "both",
        "answers": JSON_CALLS,
        "tools": json.dumps(
            [
                {"name": "find", "description": "finds", "parameters": FIND["parameters"]["properties"]},
                {"name": "now", "description": "the time", "parameters": {}},
            ]
        ),
    },
    "ShareGPT, a list of calls": _shares(
        ("human", "both"),
        ("function_call", JSON_CALLS),
        ("observation", "[]"),
        ("gpt", "done"),
        tools=json.dumps([FIND, NOW]),
    ),
    "APIGen-MT, one call after the other": _shares(
        ("human", "both"),
        ("function_call", json.dumps({"name": "find", "arguments": DEEP})),
        ("observation", "{}"),
        ("function_call", json.dumps({"name": "now", "arguments": {}})),
        ("observation", "noon"),
        ("gpt", "done"),
        tools=json.dumps([FIND, NOW]),
        system="# Policy",
    ),
    "Glaive": {
        "system": f"SYSTEM: You have functions -\n{json.dumps(FIND)}\n\n{json.dumps(NOW)}",
        "chat": f"USER: both\n\n\nASSISTANT: {QUOTED_CALLS} <|endoftext|>\n\n\nFUNCTION RESPONSE: null\n\n\n"
        "ASSISTANT: done <|endoftext|>",
    },
    "When2Call's tools, calls in the text": {
        "messages": [
            ASKED,
            {
                "role": "assistant",
                "content": "\n".join(
                    "<tool_call>" + json.dumps({"name": name, "arguments": arguments}) + "</tool_call>"
                    for name, arguments in CALLED
                ),
            },
        ],
        "tools": [json.dumps(FIND), json.dumps(NOW)],
    },
}
