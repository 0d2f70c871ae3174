"""The shapes that data comes in: recognised by their columns, converted to one canonical form each, never
guessed.

A *shape* is what a step asks for (:data:`COLUMNS`). A *form* is a layout that files are found in, such as
Alpaca's instruction/input/output; each form has one native shape. The form that uses the most of a file's
columns wins; two that use different ones are an ambiguity that the user settles (``data.shape=...``).
Prompts, chosen, rejected and completions stay as they came, texts or message lists; a row that has both gets
message lists. Columns that no form uses are kept as they are.

Alpaca's ``input`` is put below the instruction, after a blank line, without the sentence "Below is an
instruction ..." of the original script: the model's own chat template does that work today.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ptx.data.read import Row
from ptx.data.turns import RowError, Turn, assistant, is_turns, shared_prefix, shown, to_turns, user

#: shape -> the columns of its canonical rows
COLUMNS: dict[str, tuple[str, ...]] = {
    "messages": ("messages",),
    "completions": ("prompt", "completion"),
    "pairs": ("prompt", "chosen", "rejected"),
    "thumbs": ("prompt", "completion", "label"),
    "prompts": ("prompt", "answer"),
    "safety": ("prompt", "harmful"),
    "text": ("text",),
    "calibration": ("text",),
}
SHAPES = tuple(COLUMNS)

PROMPTS = ("prompt", "question", "query", "instruction", "problem")
COMPLETIONS = ("completion", "response", "answer", "output", "solution")
CONTEXTS = ("input", "context")

#: what ``data.columns.NAME=...`` may set
NAMES = (*dict.fromkeys(name for names in COLUMNS.values() for name in names), "system", "context")


@dataclass(frozen=True)
class Form:
    """A layout: the native shape, and which column plays which part."""

    shape: str
    parts: dict[str, str] = field(hash=False)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that must be there."""
        return frozenset(self.parts.values())

    @property
    def canonical(self) -> int:
        """How many parts are called by their own name."""
        return sum(part == column for part, column in self.parts.items())

    def __str__(self) -> str:
        return "/".join(self.parts.values())


def _forms() -> Iterable[Form]:
    for name in ("messages", "conversations"):
        yield Form("messages", {"messages": name})
        yield Form("messages", {"system": "system", "messages": name})
    yield Form("pairs", {"chosen": "chosen", "rejected": "rejected"})
    yield Form("pairs", {"prompt": "conversations", "chosen": "chosen", "rejected": "rejected"})
    yield Form("completions", {"prompt": "input", "completion": "output"})
    yield Form("text", {"text": "text"})
    asked = [{"prompt": name} for name in PROMPTS]
    asked += [
        {"prompt": name, "context": context} for name in ("instruction", "prompt") for context in CONTEXTS
    ]
    for prompt in asked:
        yield from _answered(prompt)


def _answered(prompt: dict[str, str]) -> Iterable[Form]:
    system = {"system": "system", **prompt}
    for lead in (prompt, system):
        yield Form("pairs", {**lead, "chosen": "chosen", "rejected": "rejected"})
        yield Form("safety", {**lead, "harmful": "harmful"})
    for completion in COMPLETIONS:
        if (prompt["prompt"], completion) == ("prompt", "answer"):
            yield Form("prompts", {**prompt, "answer": completion})
            yield Form("prompts", {**system, "answer": completion})
            continue
        yield Form("completions", {**prompt, "completion": completion})
        yield Form("messages", {**system, "completion": completion})
        yield Form("thumbs", {**prompt, "completion": completion, "label": "label"})
        yield Form("thumbs", {**system, "completion": completion, "label": "label"})


FORMS = tuple(_forms())
BARE = Form("prompts", {"prompt": "prompt"})  # only where nothing else is recognised


def recognise(columns: Iterable[str], shape: str | None = None) -> list[Form]:
    """The forms that fit these columns best; for a wanted ``shape`` those that are it, or else those it can
    be derived from.
    """
    present = set(columns)
    matched = [form for form in FORMS if form.columns <= present] or (
        [BARE] if BARE.columns <= present else []
    )
    if shape is None:
        return _best(matched)
    native = [form for form in matched if form.shape == (shape if shape != "calibration" else "text")]
    return _best(native) or _best([form for form in matched if form.shape in DERIVATIONS.get(shape, {})])


def _best(matched: list[Form]) -> list[Form]:
    widest = [form for form in matched if not any(form.columns < other.columns for other in matched)]
    most = {
        form.shape: max(other.canonical for other in widest if other.shape == form.shape) for form in widest
    }
    return [form for form in widest if form.canonical == most[form.shape]]


def settle(form: Form, row: Row) -> Form:
    """Prompt and completion given as message lists are a conversation: the shape is messages then."""
    if form.shape == "completions" and is_turns(row.get(form.parts["completion"])):
        return Form("messages", form.parts)
    return form


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
    """The prompt: text, with its context below it; message lists where it is one or has a system text."""
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
    """Prompt and replies alike: texts when all are texts, else message lists."""
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
    """Full conversations on both sides: what they begin with in common is the prompt."""
    chosen, rejected = to_turns(chosen, "chosen"), to_turns(rejected, "rejected")
    count = shared_prefix(chosen, rejected)
    shared = chosen[:count]
    if prompt is None and not shared:
        raise RowError(
            "there is no prompt column, and chosen and rejected begin differently, so the prompt cannot be"
            " told"
        )
    if prompt is None or (shared and shared[-len(prompt) :] == prompt):
        return {"prompt": shared, "chosen": chosen[count:], "rejected": rejected[count:]}
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


MARKER = "\n\nAssistant:"  # Anthropic's HH-RLHF: "\n\nHuman: ...\n\nAssistant: ..."


def _split_text(chosen: Any, rejected: Any) -> Row:
    """Two dialogues as text: the prompt ends at the last ``Assistant:`` that both have in common."""
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
    """Pairs of texts in which every chosen and every rejected begins with its prompt: the prompt is taken
    off.
    """
    if not rows or not all(_repeats(row) for row in rows):
        return rows
    return [
        {**row, **{side: row[side][len(row["prompt"]) :] for side in ("chosen", "rejected")}} for row in rows
    ]


def _repeats(row: Row) -> bool:
    prompt, sides = row["prompt"], (row["chosen"], row["rejected"])
    return (
        isinstance(prompt, str)
        and bool(prompt)
        and all(isinstance(side, str) and side.startswith(prompt) for side in sides)
    )


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


def _pair_to_thumbs(row: Row) -> list[Row]:
    rest = _rest(row, "prompt", "chosen", "rejected", "completion", "label")
    return [
        {"prompt": row["prompt"], "completion": row[side], "label": side == "chosen", **rest}
        for side in ("chosen", "rejected")
    ]


def _safety_to_messages(row: Row) -> list[Row]:
    """What to answer, refusals and harmless look-alikes alike; a row without its reference has nothing to
    imitate.
    """
    if not row.get("reference"):
        return []
    asked = row["prompt"] if is_turns(row["prompt"]) else [user(row["prompt"])]
    reply = {"role": "assistant", "content": row["reference"]}
    return [{"messages": [*asked, reply], **_rest(row, "prompt", "harmful", "reference", "messages")}]


def _calibration(*parts: str) -> Callable[[Row], list[Row]]:
    """Prompt and reply as one conversation or one text."""

    def to_calibration(row: Row) -> list[Row]:
        values = [row[part] for part in parts]
        if is_turns(values[0]):
            return [{"messages": [turn for value in values for turn in value]}]
        joint = "" if len(values) < 2 or values[0][-1:].isspace() or values[1][:1].isspace() else "\n"
        return [{"text": joint.join(values)}]

    return to_calibration


def _liked(row: Row) -> list[Row]:
    return _calibration("prompt", "completion")(row) if row["label"] is True else []


#: wanted shape -> the shapes it can be made of, the best first. Not pairs -> messages: which side to imitate
#: would be a guess.
DERIVATIONS: dict[str, dict[str, Callable[[Row], list[Row]]]] = {
    "messages": {"safety": _safety_to_messages},
    "prompts": {"completions": _completion_to_prompt, "messages": _messages_to_prompt},
    "thumbs": {"pairs": _pair_to_thumbs},
    "calibration": {
        "text": _calibration("text"),
        "messages": _calibration("messages"),
        "completions": _calibration("prompt", "completion"),
        "pairs": _calibration("prompt", "chosen"),
        "thumbs": _liked,
        "prompts": _calibration("prompt"),
        "safety": _calibration("prompt"),
    },
}
