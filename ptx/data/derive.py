"""Shapes that follow from other shapes without a guess: thumbs from pairs, prompts from conversations.

:data:`DERIVATIONS` says, for a wanted shape, of which native shapes its rows can be made and how. There is no
way from pairs to messages: which side to imitate would be a guess.
"""

from __future__ import annotations

from collections.abc import Callable

from ptx.data.records import Row
from ptx.data.turns import assistant, is_turns, user


def _rest(row: Row, *used: str) -> Row:
    return {name: value for name, value in row.items() if name not in used}


def _completion_to_prompt(row: Row) -> list[Row]:
    return [
        {
            "prompt": row["prompt"],
            "answer": row.get("answer", row["completion"]),
            **_rest(row, "prompt", "completion", "answer"),
        }
    ]


def _messages_to_prompt(row: Row) -> list[Row]:
    turns, rest = row["messages"], _rest(row, "messages", "prompt", "answer")
    if turns[-1]["role"] != "assistant" or len(turns) == 1:
        return [{"prompt": turns, "answer": row.get("answer"), **rest}]
    return [{"prompt": turns[:-1], "answer": row.get("answer", turns[-1]["content"]), **rest}]


def _pair_to_prompt(row: Row) -> list[Row]:
    """What was asked; neither side is a reference to compare with."""
    rest = _rest(row, "prompt", "answer", "chosen", "rejected")
    return [{"prompt": row["prompt"], "answer": row.get("answer"), **rest}]


def _pair_to_thumbs(row: Row) -> list[Row]:
    rest = _rest(row, "prompt", "chosen", "rejected", "completion", "label")
    return [
        {"prompt": row["prompt"], "completion": row[side], "label": side == "chosen", **rest}
        for side in ("chosen", "rejected")
    ]


def _safety_to_messages(row: Row) -> list[Row]:
    """The reference as the reply, for harmful and harmless prompts; no row where there is no reference."""
    if not row.get("reference"):
        return []
    asked = row["prompt"] if is_turns(row["prompt"]) else [user(row["prompt"])]
    reply = {"role": "assistant", "content": row["reference"]}
    return [{"messages": [*asked, reply], **_rest(row, "prompt", "harmful", "reference", "messages")}]


def _calibration(*parts: str) -> Callable[[Row], list[Row]]:
    """A derivation that joins the columns ``parts`` into one conversation or one text."""

    def to_calibration(row: Row) -> list[Row]:
        values = [row[part] for part in parts]
        if is_turns(values[0]):
            kept: Row = {name: row[name] for name in ("tools", "chat_template_kwargs") if name in row}
            return [{"messages": [turn for value in values for turn in value], **kept}]
        joint = "" if len(values) < 2 or values[0][-1:].isspace() or values[1][:1].isspace() else "\n"
        return [{"text": joint.join(values)}]

    return to_calibration


def _solution(row: Row) -> list[Row]:
    """The prompt and all steps behind it as the reply."""
    text = "\n".join(row["steps"])
    reply = [assistant(text)] if is_turns(row["prompt"]) else text
    return _calibration("prompt", "reply")({**row, "reply": reply})


def _liked(row: Row) -> list[Row]:
    return _calibration("prompt", "completion")(row) if row["label"] is True else []


#: wanted shape -> the native shapes that its rows can be made of, the best first, each with the function
DERIVATIONS: dict[str, dict[str, Callable[[Row], list[Row]]]] = {
    "messages": {"safety": _safety_to_messages},
    "prompts": {
        "completions": _completion_to_prompt,
        "messages": _messages_to_prompt,
        "pairs": _pair_to_prompt,
    },
    "thumbs": {"pairs": _pair_to_thumbs},
    "calibration": {
        "text": _calibration("text"),
        "messages": _calibration("messages"),
        "completions": _calibration("prompt", "completion"),
        "pairs": _calibration("prompt", "chosen"),
        "thumbs": _liked,
        "prompts": _calibration("prompt"),
        "safety": _calibration("prompt"),
        "steps": _solution,
    },
}
