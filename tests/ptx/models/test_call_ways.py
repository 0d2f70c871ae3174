"""Every way of writing calls that the text of a reply may have, with and without its special tokens."""

import pytest

from ptx.models.call_ways import Call, UnreadableCallError
from ptx.models.calls import read_any

#: what DeepSeek writes, with a full-width bar
BEGIN, SEP = "<\uff5ctool\u2581call\u2581begin\uff5c>", "<\uff5ctool\u2581sep\uff5c>"
ADD = Call("add", {"a": 3, "b": 4})
SAY = Call("say", {"text": 'a "word", {b}'})
HERMES = '<tool_call>\n{"name": "add", "arguments": {"a": 3, "b": 4}}\n</tool_call>'
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "say",
            "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
        },
    }
]


@pytest.mark.parametrize(
    ("reply", "calls"),
    [
        (HERMES, [ADD]),
        (f"I will add.\n{HERMES}\n{HERMES}", [ADD, ADD]),
        (HERMES.removesuffix("</tool_call>"), [ADD]),  # stopped before the end tag
        (f"<think>{HERMES}</think>Hello", []),  # a thought calls nothing
        ('<tool_call>{"name": "add", "arguments": "{\\"a\\": 3, \\"b\\": 4}"}</tool_call>', [ADD]),
        (
            "<tool_call>\n<function=add>\n<parameter=a>\n3\n</parameter>\n<parameter=b>\n4\n</parameter>",
            [ADD],
        ),
        (
            (
                "<tool_call>add<arg_key>a</arg_key><arg_value>3</arg_value><arg_key>b</arg_key>\n"
                "<arg_value>4</arg_value>"
            ),
            [ADD],
        ),
        (
            "<tool_call>\n<function=say>\n<parameter=text>\n7\n</parameter>\n</function>",
            [Call("say", {"text": "7"})],
        ),
        ('<function=add>{"a": 3, "b": 4}</function>', [ADD]),
        ('{"name": "add", "parameters": {"a": 3, "b": 4}}', [ADD]),
        ('<|python_tag|>{"name": "add", "parameters": {"a": 3, "b": 4}}<|eom_id|>', [ADD]),
        (
            '{"name": "add", "parameters": {"a": 3, "b": 4}}; {"name": "now", "parameters": {}}',
            [ADD, Call("now", {})],
        ),
        ('[TOOL_CALLS] [{"name": "add", "arguments": {"a": 3, "b": 4}}]', [ADD]),
        (' [{"name": "add", "arguments": {"a": 3, "b": 4}}]', [ADD]),  # its mark is a special token
        ('[TOOL_CALLS]add[ARGS]{"a": 3, "b": 4}', [ADD]),
        ('add{"a": 3, "b": 4}say{"text": "a \\"word\\", {b}"}', [ADD, SAY]),
        ('add\n{"a": 3, "b": 4}\n>>>say\n{"text": "a \\"word\\", {b}"}', [ADD, SAY]),
        (BEGIN + "function" + SEP + "add\n```json\n" + '{"a": 3, "b": 4}\n```', [ADD]),
        (BEGIN + "add" + SEP + '{"a": 3, "b": 4}', [ADD]),
        (
            '<|channel|>commentary to=functions.add <|constrain|>json<|message|>{"a": 3, "b": 4}<|call|>',
            [ADD],
        ),
        ('[add(a=3, b=4), say(text="a \\"word\\", {b}")]', [ADD, SAY]),
        ("<|tool_call_start|>[add(a=3, b=4)]<|tool_call_end|>", [ADD]),
        ("```tool_code\nadd(a=3, b=4)\n```", [ADD]),
        ("[math.area(side=-2.5)]", [Call("math.area", {"side": -2.5})]),
        ('Action: ```json\n[{"tool_name": "add", "parameters": {"a": 3, "b": 4}}]\n```', [ADD]),
        ('<functioncall> {"name": "add", "arguments": \'{"a": 3, "b": 4}\'} <|endoftext|>', [ADD]),
        ("<|tool_call>call:add{a:3,b:4}<tool_call|>", [ADD]),
        ('<|tool_call>call:say{text:<|"|>a "word", {b}<|"|>}<tool_call|>', [SAY]),
        ("The sum (a=3) is 7.", []),
        ("Use a function such as f(x) for it.", []),
        ("[]", []),
        ("", []),
    ],
)
def test_a_call_is_read_in_every_way_of_writing_it(reply, calls):
    assert read_any(reply, TOOLS) == calls


@pytest.mark.parametrize(
    "reply",
    [
        '<tool_call>{"name": "add", "arguments": {"a": 3,',
        '<tool_call>{"arguments": {"a": 3}}</tool_call>',
        '<tool_call>{"name": "add", "arguments": [3, 4]}</tool_call>',
        '{"name": "add", "parameters": {"a": 3, "b"',
        "[add(3, 4)]",
        "[add(a=3, b=",
        '<function=add>{"a": 3',
        "<tool_call>add\n<arg_key>a</arg_key>\n<arg_value>3",
        "<|tool_call>call:add{a:3",
    ],
)
def test_a_call_that_cannot_be_read_is_said_and_is_no_silence(reply):
    with pytest.raises(UnreadableCallError):
        read_any(reply, TOOLS)
