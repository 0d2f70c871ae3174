"""Message lists: ``[{"role": "user", "content": "..."}, ...]``, and the other forms that files have them in.

Read are OpenAI's messages, ShareGPT's ``from`` and ``value``, lists of ``input`` and ``output`` (Capybara,
xtuner), lists of texts in turn (LIMA), and the roles that hold tool calls as JSON text. A canonical message
has ``role``, ``content`` and, where there is something in them, ``reasoning_content``, ``tool_calls`` (each
``{"type": "function", "function": {"name", "arguments"}}`` with the arguments as an object), ``train: false``
where the file says that it is not trained, and the other keys of the file, which a chat template may know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ptx.data.layouts.parts import content_of, has_tools, without_parts
from ptx.data.names import (
    CALLING_ROLES,
    LEFT_OUT,
    MEDIA,
    REASONING,
    ROLE_NAMES,
    TRAINED_IF,
    TRAINED_IN_PARTS,
)
from ptx.data.tools import RowError, Turn, parsed, shown, tool_calls

Row = dict[str, Any]

ROLES = ("system", "user", "assistant", "tool")
#: keys of a message that are read into the canonical ones
SAID = ("content", "value", "text", "parts", "message")  # Gemini's: parts; Cohere's: message
READ = ("role", "from", *SAID, "tool_calls", "function_call", *REASONING, *TRAINED_IF)
#: what is made turns of, and holds one reply: a list of texts in it is no dialogue
REPLIES = ("the reply", "chosen", "rejected")
PLAIN = {"role", "content"}
SAYS_TRAINED = frozenset(TRAINED_IF)
#: keys of a message for which a row is refused, where they hold something
REFUSED = frozenset((*MEDIA, "files", "attachments", *TRAINED_IN_PARTS, *LEFT_OUT, "prefix"))


def user(content: str) -> Turn:
    """A message of the user."""
    return {"role": "user", "content": content}


def assistant(content: str) -> Turn:
    """A message of the model."""
    return {"role": "assistant", "content": content}


def is_turns(value: Any) -> bool:
    """Whether ``value`` is meant as messages and not as text."""
    return isinstance(value, list | dict)


def to_turns(value: Any, column: str) -> list[Turn]:
    """The messages of a column in the canonical form; a single message counts as a list of one.

    Raises:
        RowError: when the value is not a list of messages.
    """
    turns = [value] if isinstance(value, dict) else value
    if not isinstance(turns, list) or not turns:
        raise RowError(f"{column} must be a list of messages, got {shown(value)}")
    if len(turns) > 1 and all(isinstance(turn, str) for turn in turns):
        if column in REPLIES:
            fix = "give each a row of its own, or name a better and a worse one chosen and rejected"
            raise RowError(f"{column} is a list of {len(turns)} texts: several replies to one prompt", fix)
        return alternating(turns)
    if column in REPLIES and len(turns) == 1 and isinstance(turns[0], str):
        return [assistant(turns[0])]
    made: list[Turn] = []
    for turn in turns:
        for found in _turns_of(turn, column):
            if found.pop("calling", False) and made and made[-1]["role"] == "assistant":
                made[-1].setdefault("tool_calls", []).extend(
                    found["tool_calls"]
                )  # one message of several calls
            else:
                made.append(found)
    return made


def alternating(texts: list[str]) -> list[Turn]:
    """Texts of the user and of the model in turn."""
    return [(user, assistant)[place % 2](text) for place, text in enumerate(texts)]


def history_turns(value: Any) -> list[Turn]:
    """Earlier turns: pairs of what the user said and what the model replied, or messages."""
    value = parsed(value)
    if isinstance(value, list) and all(isinstance(pair, list | tuple) for pair in value):
        said = [text for pair in value for text in pair]
        if all(isinstance(pair[0], str) and len(pair) == 2 for pair in value) and all(
            isinstance(text, str) for text in said
        ):
            return alternating(said)
        raise RowError(f"history must hold pairs of a user's text and the reply, got {shown(value)}")
    return to_turns(value, "history")


def _turns_of(turn: Any, column: str) -> Iterator[Turn]:
    if not isinstance(turn, dict):
        raise RowError(f'{column} must hold {{"role", "content"}} objects, got {shown(turn)}')
    if turn.keys() == PLAIN and turn["role"] in ROLES and isinstance(turn["content"], str):
        yield {"role": turn["role"], "content": turn["content"]}  # as most files have them
    elif has_tools(turn.get("content")):
        for one in without_parts(turn):
            yield _turn(one, column)
    elif "role" in turn or "from" in turn:
        yield _turn(turn, column)
    elif "input" in turn and "output" in turn:
        if turn.get("system"):
            yield {"role": "system", "content": turn["system"]}
        if turn["input"]:
            yield user(turn["input"])
        yield {
            **assistant(turn["output"]),
            **({"train": False} if turn.get("output_with_loss") is False else {}),
        }
    else:
        raise RowError(
            f'a message in {column} has the keys {", ".join(turn)}; it must have "role" and "content" (or'
            ' "from" and "value")'
        )


def _turn(turn: Row, column: str) -> Turn:
    _refuse_keys(turn, column)
    role = turn.get("role", turn.get("from"))
    content = next((turn[key] for key in SAID if turn.get(key) is not None), None)
    content, thought = content_of(content)
    reasoning = thought or next((turn[key] for key in REASONING if turn.get(key)), None)
    calls = tool_calls(turn.get("tool_calls") or turn.get("function_call"))
    calling = isinstance(role, str) and role.lower() in CALLING_ROLES
    if calling:
        role, calls, content = "assistant", tool_calls(content), ""
    made: Turn = {"role": canonical_role(role), "content": content}
    made |= {key: value for key, value in turn.items() if key not in READ and value not in (None, "", [])}
    if made.get("refusal") and not content:
        made["content"] = made.pop("refusal")  # OpenAI's reply that declines, beside an empty content
    trained = trained_if(turn)
    extra = {"reasoning_content": reasoning, "tool_calls": calls, "calling": calling}
    made |= {key: value for key, value in extra.items() if value}
    if trained is not None and trained != (made["role"] == "assistant"):
        made["train"] = trained  # otherwise it says what is the case anyway
    return made


def _refuse_keys(turn: Row, column: str) -> None:
    """Refuse what ptx would have to leave out of a message, and what no training here can follow."""
    if REFUSED.isdisjoint(turn):
        return
    for key in (*MEDIA, "files", "attachments"):
        if turn.get(key):
            fix = f"ptx trains text: leave these rows out, or train their text alone: data.drop=[{key}]"
            raise RowError(f"a message in {column} has {key}", fix)
    for key in TRAINED_IN_PARTS:
        if turn.get(key) is not None:
            fix = f"say for whole messages whether they are trained (weight: 0 or 1), or data.drop=[{key}]"
            raise RowError(f"a message in {column} trains parts of itself ({key}), which ptx does not", fix)
    for key in LEFT_OUT:
        if is_marked(turn.get(key)):
            fix = f"write weight: 0 to have it read and not trained, or data.drop=[{key}] trains it"
            raise RowError(f"a message in {column} is marked with {key}, got {shown(turn[key])}", fix)
    if turn.get("prefix"):
        fix = "put prompt and reply into messages of their own, or data.drop=[prefix] trains it as a whole"
        raise RowError(f"a message in {column} is marked as the beginning of the reply (prefix: true)", fix)


def is_marked(value: Any) -> bool:
    """Whether a mark is set: true, 1, or one of their words."""
    word = value.strip().lower() if isinstance(value, str) else value
    return word is not None and word in (1, "1", "true", "yes")


def system_text(value: Any) -> Any:
    """A system text that is written as parts: Bedrock's ``[{"text": ...}]``, Gemini's ``{"parts": ...}``."""
    parts = value.get("parts", value.get("content")) if isinstance(value, dict) else value
    return content_of(parts)[0]


def canonical_role(role: Any) -> Any:
    """The role under its usual name; one that is not known stays as it is."""
    if not isinstance(role, str):
        return role
    low = role.strip().lower()
    return ROLE_NAMES.get(low, low if low in ROLES else role)


def trained_if(turn: Row) -> bool | None:
    """Whether the file says that a message is trained; None where it says nothing.

    Raises:
        RowError: for a weight between 0 and 1, or two keys that contradict each other.
    """
    said: dict[str, bool] = {}
    for key in (key for key in turn if key in SAYS_TRAINED):
        value = turn[key]
        word = value.strip().lower() if isinstance(value, str) else value
        if word is None:
            continue
        if word not in (0, 1, "0", "1", "true", "false"):
            fix = (
                "a message is trained (1) or not (0); to train all of them alike leave the key out:"
                f" data.drop=[{key}]"
            )
            raise RowError(f"{key} of a message must be 0 or 1 (or true or false), got {shown(value)}", fix)
        said[key] = word in (1, "1", "true")
    if len(set(said.values())) > 1:
        raise RowError(
            f"the keys {' and '.join(said)} of a message contradict each other", "keep one of them"
        )
    return next(iter(said.values()), None)


#: Anthropic's HH-RLHF: "\n\nHuman: ...\n\nAssistant: ..."
SPEAKER = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):")


def dialogue(prompt: str) -> list[Turn]:
    """The turns of a prompt written as in HH-RLHF, with the speakers in the text; [] for any other text."""
    marks = [mark[1] for mark in SPEAKER.finditer(prompt)]
    if marks[:1] != ["Human"] or "Assistant" not in marks or not prompt.lstrip().startswith("Human:"):
        return []
    turns = continued(prompt)
    return turns if turns[-1]["content"] else turns[:-1]  # "Assistant:" ends the prompt


def continued(text: str, role: str = "") -> list[Turn]:
    """The turns of a text with speakers in it; what stands before the first one is said by ``role``."""
    marks = list(SPEAKER.finditer(text))
    starts, ends = [0, *(mark.end() for mark in marks)], [*(mark.start() for mark in marks), len(text)]
    who = [role, *("user" if mark[1] == "Human" else "assistant" for mark in marks)]
    said = [
        {"role": speaker, "content": text[start:end].strip()}
        for speaker, start, end in zip(who, starts, ends, strict=True)
    ]
    return said if role else said[1:]


def shared_prefix(first: list[Turn], second: list[Turn]) -> int:
    """The number of equal messages at the head of two conversations; the last one of each never counts."""
    count = 0
    while count < min(len(first), len(second)) - 1 and first[count] == second[count]:
        count += 1
    return count
