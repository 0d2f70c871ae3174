"""What a chat template leaves out of a conversation.

A template that does not know a key writes nothing for it and raises no error: tool calls, tool definitions,
reasoning and system texts vanish that way. So every value that carries meaning is looked for in the rendered
text. Templates trim texts and write JSON in their own way: a value that is not found as it stands is looked
for without white space, and as JSON writes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

Turn = dict[str, Any]
SPACE = re.compile(r"\s+")
THOUGHT = re.compile(r"<think>(.*?)</think>", re.DOTALL)


class Loss(NamedTuple):
    """A value that is not in the rendered text: its key, itself, and whether it is in the last message."""

    key: str
    value: Any
    last: bool = True


class _Text:
    """A rendered text that values are looked for in."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._dense = ""

    def holds(self, value: str) -> bool:
        """Whether the value stands in the text, as it is or with other white space."""
        if value.strip() in self.text:
            return True
        if not self._dense:
            self._dense = SPACE.sub("", self.text)
        return SPACE.sub("", value) in self._dense

    def holds_json(self, value: Any) -> bool:
        """Whether every number and text of the value stands in the text, plain or as JSON writes it."""
        return all(
            any(
                self.holds(way)
                for way in (leaf, json.dumps(leaf, ensure_ascii=False)[1:-1], json.dumps(leaf)[1:-1])
            )
            for leaf in _leaves(value)
        )


def losses(turns: Sequence[Turn], tools: list[Turn] | None, rendered: str) -> list[Loss]:
    """The values of the messages and of the tools that the rendered text does not hold."""
    text = _Text(rendered)
    found = []
    for place, turn in enumerate(turns):
        last = place == len(turns) - 1
        found += [Loss(key, value, last) for key, value in _lost(turn, text)]
    inners = [tool.get("function", tool) for tool in tools or ()]
    missing = [
        str(inner.get("name"))
        for inner in inners
        if not text.holds_json([inner.get("name"), inner.get("description")])
    ]
    return [*found, *([Loss("tools", ", ".join(missing))] if missing else [])]


def _lost(turn: Turn, text: _Text) -> Iterator[tuple[str, Any]]:
    content = turn.get("content")
    if isinstance(content, str) and content and not text.holds(content):
        thought = THOUGHT.search(content)
        kept = THOUGHT.sub("", content)
        if thought and text.holds(kept):
            if not text.holds(thought[1]):
                yield "the thoughts in content", thought[0]
        else:
            yield "content", content
    reasoning = turn.get("reasoning_content")
    if isinstance(reasoning, str) and not text.holds(reasoning):
        yield "reasoning_content", reasoning
    for call in turn.get("tool_calls") or ():
        function = call["function"]
        if not (text.holds(function["name"]) and text.holds_json(function["arguments"])):
            yield "tool_calls", f"{function['name']}({function['arguments']})"


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, bool):
        return  # true, True, yes: every template has its own
    elif value is not None:
        yield str(value)
