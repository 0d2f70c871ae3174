"""The shapes that data comes in, and the layouts of files that they are recognised by.

A *shape* is what a step asks for (:data:`COLUMNS`). A *form* is a layout that files are found in, such as
Alpaca's instruction/input/output; each form has one native shape. The form that uses the most of a file's
columns wins. Two forms that use different columns are an ambiguity, which the user settles
(``data.shape=...``). Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ptx.data.derive import DERIVATIONS
from ptx.data.read import Row
from ptx.data.turns import is_turns

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
        """How many parts lie in a column of their own name."""
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


def refine(form: Form, row: Row) -> Form:
    """The form that also the values of a row fit: a completion given as messages makes it a conversation."""
    if form.shape == "completions" and is_turns(row.get(form.parts["completion"])):
        return Form("messages", form.parts)
    return form
