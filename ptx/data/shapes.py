"""The shapes that data comes in, and the layouts of files that they are recognised by.

A *shape* is what a step asks for (:data:`COLUMNS`). A *form* is a layout that files are found in, such as
Alpaca's instruction/input/output; each form has one native shape. The form that uses the most of a file's
columns wins. Two forms that use different columns are an ambiguity, which the user settles
(``data.shape=...``). Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ptx.data.derive import DERIVATIONS
from ptx.data.labels import PAIRS
from ptx.data.names import COMPANIONS
from ptx.data.records import Row
from ptx.data.turns import is_turns

#: shape -> the columns of its canonical rows
COLUMNS: dict[str, tuple[str, ...]] = {
    "messages": ("messages",),
    "completions": ("prompt", "completion"),
    "pairs": ("prompt", "chosen", "rejected"),
    "thumbs": ("prompt", "completion", "label"),
    "prompts": ("prompt", "answer"),
    "safety": ("prompt", "harmful"),
    "steps": ("prompt", "steps", "labels"),
    "text": ("text",),
    "calibration": ("text",),
}
SHAPES = tuple(COLUMNS)
#: columns whose values need not be texts
OTHER = ("answer", "label", "harmful", "steps", "labels")

PROMPTS = ("prompt", "question", "query", "instruction", "problem")
COMPLETIONS = ("completion", "response", "answer", "output", "solution")
CONTEXTS = ("input", "context")
CONVERSATIONS = ("messages", "conversations", "conversation", "contents")
STEPS = ("steps", "completions")  # TRL calls the steps of a solution its completions
LABELS = ("label", "kto_tag")
#: columns of logs that make a row a thumb where all that is said in them is a verdict
FEEDBACK = (
    *("feedback", "user_feedback", "thumb", "thumbs", "thumbs_up", "liked", "is_liked", "vote", "rating"),
    *("desirable", "verdict"),
)

#: columns of the better and the worse reply (Argilla, Stack Exchange, OpenAI)
PREFERRED = (
    ("chosen", "rejected"),
    ("chosen_response", "rejected_response"),
    ("response_j", "response_k"),
    ("preferred_output", "non_preferred_output"),
)
#: parts that columns of two replies and of the verdict on them may be named as (layouts.judged)
JUDGED = ("reply_a", "reply_b", "verdict")

#: what ``data.columns.NAME=...`` may set
NAMES = (
    *dict.fromkeys(name for names in COLUMNS.values() for name in names),
    "context",
    *(part for part in COMPANIONS if part != "options"),
    *JUDGED,
)
#: shapes that say the same in different words: a file that fits two of them is ambiguous
IMITATED = ("messages", "completions", "text")
#: shape -> the parts beside it that are used
BESIDE: dict[str, tuple[str, ...]] = {
    "messages": ("system", "history", "tools", "options", "reasoning"),
    "completions": ("system", "history", "tools", "options", "reasoning"),
    **dict.fromkeys(("pairs", "thumbs", "prompts", "safety"), ("system", "history", "tools", "options")),
}


@dataclass(frozen=True)
class Form:
    """A layout: the native shape, and which column plays which part.

    ``beside`` are the parts that change what the row means and may be absent (:data:`COMPANIONS`).
    """

    shape: str
    parts: dict[str, str] = field(hash=False)
    beside: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that must be there."""
        return frozenset(self.parts.values())

    @property
    def used(self) -> frozenset[str]:
        """All columns that a row is made of."""
        return self.columns | frozenset(self.beside.values())

    @property
    def canonical(self) -> int:
        """How many parts lie in a column of their own name."""
        return sum(part == column for part, column in self.parts.items())

    def __str__(self) -> str:
        return "/".join(self.parts.values())


def _forms() -> Iterable[Form]:
    for name in CONVERSATIONS:
        yield Form("messages", {"messages": name})
        for label in LABELS:
            yield Form("thumbs", {"messages": name, "label": label})
        sides = {"chosen": "chosen_response", "rejected": "rejected_response"}
        yield Form("pairs", {"prompt": name, **sides})  # When2Call
        yield Form("pairs", {"messages": name, "rejected": "rejected_response"})  # ms-swift
    yield Form("pairs", {"chosen": "chosen", "rejected": "rejected"})
    for chosen, rejected in PREFERRED:
        yield Form("pairs", {"prompt": "input", "chosen": chosen, "rejected": rejected})
    yield Form("pairs", {"prompt": "conversations", "chosen": "chosen", "rejected": "rejected"})
    yield Form("messages", {"prompt": "query", "calls": "answers"})  # xLAM: answers holds tool calls
    yield Form("messages", {"mapping": "mapping", "current_node": "current_node"})  # ChatGPT's export
    yield Form("messages", {"chat": "chat"})  # Glaive: marked turns in one text
    yield Form("completions", {"prompt": "input", "completion": "output"})
    yield Form("text", {"text": "text"})
    asked = [{"prompt": name} for name in PROMPTS]
    asked += [{"prompt": name, "context": context} for name in PROMPTS for context in CONTEXTS]
    for prompt in asked:
        yield from _answered(prompt)


def _answered(prompt: dict[str, str]) -> Iterable[Form]:
    for chosen, rejected in PREFERRED:
        yield Form("pairs", {**prompt, "chosen": chosen, "rejected": rejected})
    yield Form("safety", {**prompt, "harmful": "harmful"})
    for steps in STEPS:
        yield Form("steps", {**prompt, "steps": steps, "labels": "labels"})
    for completion in COMPLETIONS:
        if (prompt["prompt"], completion) == ("prompt", "answer"):
            yield Form("prompts", {**prompt, "answer": completion})
            continue
        yield Form("completions", {**prompt, "completion": completion})
        for label in LABELS:
            yield Form("thumbs", {**prompt, "completion": completion, "label": label})


FORMS = tuple(_forms())
BARE = Form("prompts", {"prompt": "prompt"})  # only where nothing else is recognised


def recognise(columns: Iterable[str], shape: str | None = None) -> list[Form]:
    """The forms that fit these columns best.

    For a wanted ``shape`` those whose native shape it is, or else those that it can be derived from.
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


def refine(form: Form, rows: Sequence[Row]) -> Form:
    """The form that also the values fit.

    What stands beside a completion (a system text, earlier turns, tools, reasoning) makes it a conversation,
    and so does a completion given as messages. A label that is no verdict is a column like others.
    """
    row = rows[0]
    if form.shape == "thumbs" and "messages" in form.parts and not _judges(rows, form.parts["label"]):
        form = Form("messages", {"messages": form.parts["messages"]})
    beside = {
        part: column
        for part in BESIDE.get(form.shape, ())
        for column in reversed(COMPANIONS[part])
        if column not in form.columns and any(has_value(row.get(column)) for row in rows)
    }
    if "messages" in form.parts:
        beside.pop("reasoning", None)
    said = [row.get(form.parts[part]) for part in ("prompt", "completion") if part in form.parts]
    if form.shape == "completions" and (beside or any(map(is_turns, said))):
        return Form("messages", form.parts, beside)
    return Form(form.shape, form.parts, beside)


def _judges(rows: Sequence[Row], column: str) -> bool:
    """Whether the first label of the column that is there is a verdict."""
    return is_verdict(next((row[column] for row in rows if has_value(row.get(column))), None))


def is_verdict(value: object) -> bool:
    """Whether a label says that a reply is liked or not."""
    word = str(value).strip().lower().removesuffix(".0")
    return any(word in pair for pair in PAIRS)


def has_value(value: object) -> bool:
    """Whether there is something in a column: not null, and no empty text, list or object."""
    return value is not None and value not in ("", [], {}, "[]", "{}")
