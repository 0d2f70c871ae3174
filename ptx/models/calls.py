"""Tool calls in the text of a reply, read in the way in which the model's chat template writes them.

Every family has its own way: JSON between ``<tool_call>`` tags (Hermes, Qwen), JSON alone (Llama 3, Mistral),
a name before its JSON (functionary, DeepSeek, gpt-oss), XML (Qwen-Coder, GLM), Python (Llama 4, LFM2), and
more. Which one a template uses is not guessed by its name: a conversation with a known call is rendered,
and the way that reads exactly this call back is the template's (:func:`way_of`). Evaluation and reinforcement
learning read with the same functions, so what is measured is what was rewarded.

A runtime leaves the special tokens of a reply out, so marks such as ``[TOOL_CALLS]`` may be missing.
Arguments that a format holds as text (XML) are typed by the schema of the tool.
"""

from __future__ import annotations

from collections.abc import Collection

from ptx.models.call_ways import WAYS, Call, Tools, UnreadableCallError, Way
from ptx.models.chat import ChatTemplate, TemplateRefusalError


def read_calls(reply: str, way: Way, tools: Tools = ()) -> list[Call]:
    """The calls of a reply in the order of the text; empty where it makes none.

    Thoughts (up to ``</think>``) call nothing.

    Raises:
        UnreadableCallError: a call begins that cannot be read.
    """
    text = spoken(reply)
    if not way.begins.search(text):
        return []
    return way.read(text, tools)


def read_any(reply: str, tools: Tools = ()) -> list[Call]:
    """The calls of a reply of an unknown model: by the first way that finds some.

    Raises:
        UnreadableCallError: no way finds one, and by one of them a call begins.
    """
    wrong: UnreadableCallError | None = None
    for way in WAYS:
        try:
            if found := read_calls(reply, way, tools):
                return found
        except UnreadableCallError as error:
            wrong = wrong or error
    if wrong:
        raise wrong
    return []


def spoken(reply: str) -> str:
    """A reply without its thoughts; empty where they never end."""
    _, closed, rest = reply.rpartition("</think>")
    return rest if closed or "<think>" not in reply else ""


def way_of(template: ChatTemplate, special: Collection[str] = ()) -> Way | None:
    """The way in which a template writes calls, as a runtime gives it back: without the special tokens.

    None where it shows the model no tools, or writes calls in a way that is not known here.
    """
    asked = [{"role": "user", "content": "Hello"}]
    try:
        prompt = template.fit(asked, [PROBE_TOOL], ask=True)
        whole = template.fit([*asked, PROBE_TURN], [PROBE_TOOL])
    except TemplateRefusalError:
        return None
    if any(loss.key in ("tools", "tool_calls") for loss in (*prompt.lost, *whole.lost)):
        return None
    reply = _behind(prompt.rendered.text, whole.rendered.text)
    for token in special:
        reply = reply.replace(token, "")
    for way in WAYS:
        try:
            if read_calls(reply, way, [PROBE_TOOL]) == [PROBE]:
                return way
        except UnreadableCallError:
            continue
    return None


PROBE = Call("probe_tool", {"first_word": "a word", "number": 7})
PROBE_TURN = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "id": "abcdef123",
            "type": "function",
            "function": {"name": PROBE.name, "arguments": dict(PROBE.arguments)},
        }
    ],
}
PROBE_TOOL = {
    "type": "function",
    "function": {
        "name": PROBE.name,
        "description": "Tries how calls are written",
        "parameters": {
            "type": "object",
            "properties": {
                "first_word": {"type": "string", "description": "a word"},
                "number": {"type": "integer", "description": "a number"},
            },
            "required": ["first_word", "number"],
        },
    },
}


def _behind(prompt: str, whole: str) -> str:
    """What the whole text adds to the prompt, from where they first differ back to the start of a word."""
    same = 0
    for mine, theirs in zip(prompt, whole, strict=False):
        if mine != theirs:
            break
        same += 1
    return whole[same:] if same == len(prompt) else whole[whole.rfind("\n", 0, same) + 1 :]
