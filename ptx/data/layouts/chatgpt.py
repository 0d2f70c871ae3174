"""ChatGPT's export (conversations.json): each conversation is a tree, of which one branch is shown.

``{"title", "mapping": {id: {"id", "message", "parent", "children"}}, "current_node": id}``. The conversation
is the branch from the root to ``current_node``, as the chat shows it; regenerated replies and edited
questions beside it are not in it. A message says who wrote it (``author``), for whom (``recipient``) and what
(``content``, with a type). Empty ones, such as the root's, are none. Custom instructions become the system
text, thoughts the reasoning of the reply behind them. Pictures and the calls of ChatGPT's own tools have no
text that could be trained: such conversations are refused (``data.bad=drop`` leaves them out).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ptx.data.tools import RowError, Turn, shown

#: what the chat shows beside the conversation: how long the model thought
SHOWN_ONLY = ("reasoning_recap",)
INSTRUCTIONS = ("user_profile", "user_instructions")
FIX = "ptx trains text: leave such conversations out"


def branch_turns(mapping: Any, current: Any) -> list[Turn]:
    """The messages from the root to ``current``, up to the last reply.

    Raises:
        RowError: the branch is broken or ends without a reply, or a message of it is no text.
    """
    turns = _with_thoughts([_turn(message) for message in _branch(mapping, current)])
    while turns and turns[-1]["role"] != "assistant":
        turns.pop()
    if not turns:
        raise RowError("the branch of current_node has no reply", "leave such conversations out")
    return turns


def _branch(mapping: Any, current: Any) -> Iterator[dict[str, Any]]:
    """The messages of the branch that hold something, the root's first."""
    if not isinstance(mapping, dict):
        raise RowError(f"mapping must be an object of messages by their ids, got {shown(mapping)}")
    nodes: list[dict[str, Any]] = []
    seen: set[str] = set()
    while current is not None:
        node = mapping.get(current) if isinstance(current, str) else None
        if not isinstance(node, dict) or current in seen:
            why = "is its own parent" if current in seen else "is not in mapping"
            raise RowError(f"the message {shown(current)} {why}", "export the conversations again")
        seen.add(current)
        nodes.append(node)
        current = node.get("parent")
    for node in reversed(nodes):
        message = node.get("message")
        if isinstance(message, dict) and _says(message.get("content")):
            yield message


def _says(content: Any) -> bool:
    """Whether there is something in a content beside its type."""
    if not isinstance(content, dict) or content.get("content_type") in SHOWN_ONLY:
        return False
    held = content.get(
        "parts", [value for key, value in content.items() if key not in ("content_type", "language")]
    )
    return any(part not in ("", None, [], {}) for part in (held if isinstance(held, list) else [held]))


def _turn(message: dict[str, Any]) -> Turn:
    author, content = message.get("author"), message["content"]
    role = author.get("role") if isinstance(author, dict) else None
    kind, recipient = content.get("content_type"), message.get("recipient") or "all"
    if kind == "user_editable_context":
        texts = [str(content[name]) for name in INSTRUCTIONS if content.get(name)]
        return {"role": "system", "content": "\n\n".join(texts)}
    if kind == "thoughts" and isinstance(content.get("thoughts"), list):
        return {"role": "thoughts", "content": "\n\n".join(map(_thought, content["thoughts"]))}
    if role == "tool" or recipient != "all":
        name = author.get("name") if isinstance(author, dict) else None
        who = f"to {recipient}" if role != "tool" else f"from {name or 'a tool'}"
        raise RowError(
            f"a message of the branch is a call of ChatGPT's own tools or its result, got one {who}", FIX
        )
    if role not in ("system", "user", "assistant"):
        raise RowError(f"a message of the branch has an author that is not known, got {shown(role)}", FIX)
    parts = content.get("parts")
    if kind not in ("text", "multimodal_text") or not isinstance(parts, list):
        raise RowError(f"a message of the branch is no text, got {shown(kind)}", FIX)
    if other := [part for part in parts if not isinstance(part, str)]:
        held = other[0].get("content_type") if isinstance(other[0], dict) else other[0]
        raise RowError(f"a message of the branch has a part that is no text, got {shown(held)}", FIX)
    left_out = {"train": False} if role == "assistant" and message.get("weight") == 0 else {}
    return {"role": role, "content": "\n".join(parts), **left_out}


def _thought(thought: Any) -> str:
    return str(thought.get("content") or "") if isinstance(thought, dict) else str(thought)


def _with_thoughts(turns: list[Turn]) -> list[Turn]:
    """The turns, with thoughts in the reply behind them; those without one go."""
    made: list[Turn] = []
    thoughts: list[str] = []
    for turn in turns:
        if turn["role"] == "thoughts":
            thoughts.append(turn["content"])
            continue
        if thoughts and turn["role"] == "assistant":
            turn["reasoning_content"] = "\n\n".join(thoughts)
        thoughts = []
        made.append(turn)
    return made
