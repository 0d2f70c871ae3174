"""A row of a file to a canonical row: the columns of its form renamed, prompts and replies brought together.

Prompts, chosen, rejected and completions stay texts or message lists, as the file has them; a row that has
both gets message lists. Columns that the form does not use are kept as they are.

Alpaca's ``input`` is put below the instruction, after a blank line, without the sentence "Below is an
instruction ..." of the original script: the chat template of the model does that work today.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ptx.data.read import Row
from ptx.data.shapes import CONTEXTS, Form
from ptx.data.turns import RowError, Turn, assistant, is_turns, shared_prefix, shown, to_turns, user


def convert(form: Form, row: Row) -> Row:
    """A row of a file as a canonical row of the form's shape."""
    for column in form.parts.values():
        if row.get(column) is None and column not in ("system", *CONTEXTS):
            raise RowError(f"column {column} is {'empty (null)' if column in row else 'missing'}")
    canonical = CONVERT[form.shape]({part: row.get(column) for part, column in form.parts.items()})
    return {
        **canonical,
        **{name: value for name, value in row.items() if name not in form.columns and name not in canonical},
    }


def _asked(parts: Row) -> Any:
    """The prompt: a text with its context below it, or messages where it is a list or has a system text."""
    prompt, context, system = parts["prompt"], parts.get("context"), parts.get("system")
    if is_turns(prompt):
        turns = to_turns(prompt, "prompt")
    else:
        prompt = f"{prompt}\n\n{context}" if context else prompt
        if not system:
            return prompt
        turns = [user(prompt)]
    return [{"role": "system", "content": system}, *turns] if system else turns


def _as_turns(prompt: Any, *replies: Any) -> list[Any]:
    """The prompt and the replies in one kind: texts when all are texts, else message lists."""
    if not any(is_turns(value) for value in (prompt, *replies)):
        return [prompt, *replies]
    lead = to_turns(prompt, "prompt") if is_turns(prompt) else [user(prompt)]
    return [
        lead,
        *(to_turns(reply, "the reply") if is_turns(reply) else [assistant(reply)] for reply in replies),
    ]


def _messages(parts: Row) -> Row:
    if "completion" in parts:
        prompt = _asked(parts)
        lead, reply = _as_turns(
            to_turns(prompt, "prompt") if is_turns(prompt) else [user(prompt)], parts["completion"]
        )
        return {"messages": lead + reply}
    turns = to_turns(parts["messages"], "messages")
    return {
        "messages": [{"role": "system", "content": parts["system"]}, *turns] if parts.get("system") else turns
    }


def _completions(parts: Row) -> Row:
    if is_turns(parts["prompt"]) or is_turns(parts["completion"]):
        raise RowError("prompt and completion must both be texts, as in the first row")
    return {"prompt": _asked(parts), "completion": parts["completion"]}


def _thumbs(parts: Row) -> Row:
    prompt, completion = _as_turns(_asked(parts), parts["completion"])
    return {"prompt": prompt, "completion": completion, "label": parts["label"]}


def _prompts(parts: Row) -> Row:
    return {"prompt": _asked(parts), "answer": parts.get("answer")}


def _safety(parts: Row) -> Row:
    return {"prompt": _asked(parts), "harmful": parts["harmful"]}


def _text(parts: Row) -> Row:
    return {"text": parts["text"]}


def _pairs(parts: Row) -> Row:
    chosen, rejected = parts["chosen"], parts["rejected"]
    if "prompt" not in parts:
        return _split_turns(None, chosen, rejected) if is_turns(chosen) else _split_text(chosen, rejected)
    prompt, chosen, rejected = _as_turns(_asked(parts), chosen, rejected)
    return (
        _split_turns(prompt, chosen, rejected)
        if is_turns(prompt)
        else {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    )


def _split_turns(prompt: list[Turn] | None, chosen: Any, rejected: Any) -> Row:
    """Full conversations on both sides: the messages that both begin with are the prompt."""
    chosen, rejected = to_turns(chosen, "chosen"), to_turns(rejected, "rejected")
    count = shared_prefix(chosen, rejected)
    shared = chosen[:count]
    if prompt is None and not shared:
        raise RowError(
            "there is no prompt column, and chosen and rejected begin differently, so the prompt is unknown"
        )
    if prompt is None or (shared and shared[-len(prompt) :] == prompt):
        return {"prompt": shared, "chosen": chosen[count:], "rejected": rejected[count:]}
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


MARKER = "\n\nAssistant:"  # Anthropic's HH-RLHF: "\n\nHuman: ...\n\nAssistant: ..."


def _split_text(chosen: Any, rejected: Any) -> Row:
    """Two dialogues as text: the prompt ends at the last ``Assistant:`` of the text that both begin with."""
    if not isinstance(chosen, str) or not isinstance(rejected, str):
        raise RowError(
            f"chosen and rejected must be texts or message lists, got {shown(chosen)} and {shown(rejected)}"
        )
    end = chosen.rfind(MARKER)
    while end > 0 and not rejected.startswith(chosen[: end + len(MARKER)]):
        end = chosen.rfind(MARKER, 0, end)
    if end < 0:
        raise RowError(
            f"there is no prompt column, and {MARKER.strip()!r} does not mark where the prompt of both texts"
            " ends"
        )
    cut = end + len(MARKER)
    return {"prompt": chosen[:cut], "chosen": chosen[cut:], "rejected": rejected[cut:]}


CONVERT: dict[str, Callable[[Row], Row]] = {
    "messages": _messages,
    "completions": _completions,
    "pairs": _pairs,
    "thumbs": _thumbs,
    "prompts": _prompts,
    "safety": _safety,
    "text": _text,
}


def strip_repeated_prompts(rows: list[Row]) -> list[Row]:
    """The pairs without the prompt in front of each reply, if every reply of every row begins with it."""
    if not rows or not all(_repeats_prompt(row) for row in rows):
        return rows
    return [
        {**row, **{side: row[side][len(row["prompt"]) :] for side in ("chosen", "rejected")}} for row in rows
    ]


def _repeats_prompt(row: Row) -> bool:
    prompt, sides = row["prompt"], (row["chosen"], row["rejected"])
    return (
        isinstance(prompt, str)
        and bool(prompt)
        and all(isinstance(side, str) and side.startswith(prompt) for side in sides)
    )
