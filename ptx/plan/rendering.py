"""Renders every row with the model's chat template before anything is loaded.

A template that refuses a row (a system text, roles that do not alternate) would stop the training in its
middle, and one that does not know a key (tool calls, reasoning) would drop it without a word. Both are found
here, with file and line; 50,000 short rows take a few seconds, without an ML library.
"""

from __future__ import annotations

from pathlib import Path

from ptx.data import DataSet
from ptx.data.conversations import Conversation, conversations
from ptx.data.findings.checking import Found
from ptx.data.records import Fault, Record, finding, findings
from ptx.data.tools import Turn, shown
from ptx.errors import Problem
from ptx.models.chat import ChatTemplate, TemplateRefusalError
from ptx.models.marks import training_source
from ptx.models.replies import finds_replies, reply_spans
from ptx.models.written import Loss

ANOTHER = "another chat template that writes it (chat_template.jinja in the model's folder)"
FIXES = {
    "reasoning_content": "put it into content (<think>...</think>), take {another}, or leave it out"
    " on purpose: data.drop=[reasoning_content]",
    "the thoughts in content": "write them as reasoning_content if the template knows it, or take {another}",
    "tool_calls": "take {another}, or write the calls as text into content",
    "tools": "take {another}, or leave them out on purpose: data.drop=[tools]",
    "content": "take {another}; with tool calls beside it, put the text into a message of its own",
}
EARLIER = (
    "the chat template writes the reasoning of the last reply alone; earlier ones are trained without theirs"
)
THOUGHTS = ("reasoning_content", "the thoughts in content")


def rendering(data: DataSet, shape: str, model: Path, *, marked: bool = True) -> Found:
    """Problems (with file and line) and notes on how the model's chat template writes the rows.

    Calibration rows need not be written in full: nothing is learnt from them.
    With ``marked`` only the replies of conversations are trained, for which a training may use another
    version of the template (:func:`~ptx.models.marks.training_source`).
    """
    try:
        template = ChatTemplate.of(model)
    except TemplateRefusalError as error:
        return [Problem(f"{model}: {error}", "correct its chat_template.jinja")], []
    if template is None:
        return [], []
    source = training_source if marked and shape == "messages" else str
    used = ChatTemplate({name: source(text) for name, text in template.sources.items()}, template.tokens)
    what = f"rendered by {sorted(used.sources.items())} {sorted(used.tokens.items())}"
    # a template that never gives replies a place is one problem of the model, and not one of each row
    places = marked and shape == "messages" and finds_replies(used)
    found: Found = data.once(f"{what} {places}", shape, lambda: _check(data, shape, model, used, places))
    return found


def _check(data: DataSet, shape: str, model: Path, template: ChatTemplate, places: bool) -> Found:
    """``places``: the replies must have their places in the text, because they alone are trained."""
    records = data.located(shape)
    faults: list[Fault] = []
    notes: dict[tuple[str, str], list[Record]] = {}
    for said in conversations(shape, records):
        try:
            fitted = template.fit(said.turns, said.tools, ask=said.ask, **said.options)
        except TemplateRefusalError as refusal:
            faults.append(_refused(said, model, str(refusal)))
            continue
        replies = [turn for turn in said.turns if turn["role"] == "assistant"]
        if places:
            try:
                marks = len(reply_spans(template, fitted, said.tools, **said.options))
            except ValueError:
                faults.append(_without_places(said, model))
                continue
            if marks != len(replies) and any(turn.get("train") is False for turn in replies):
                faults.append(_unmarked(said, model, marks))
        for loss in fitted.lost if shape != "calibration" else ():
            if loss.key in THOUGHTS and not loss.last and template.knows_reasoning:
                notes.setdefault(("earlier-reasoning", EARLIER), []).append(said.record)
            else:
                faults.append(_lost(said, model, loss))
        for note in _unheeded(said.turns, fitted.rendered.text):
            notes.setdefault(note, []).append(said.record)
    told = [finding(name, found, note, len(records)) for (name, note), found in notes.items()]
    return findings(faults, len(records)), told


def _unheeded(turns: list[Turn], text: str) -> set[tuple[str, str]]:
    """What is said in a conversation and changes nothing, without a loss of text."""
    found = {
        ("unheeded-key", f"the chat template does not write {key} of messages")
        for turn in turns
        for key in ("name", "tool_call_id")
        if turn.get(key) and str(turn[key]) not in text
    }
    if any(turn.get("train") and turn["role"] != "assistant" for turn in turns):
        found.add(("marked-other-turn", "a message that is not the assistant's is marked as trained"))
    return found


def _refused(said: Conversation, model: Path, why: str) -> Fault:
    roles = ", ".join(str(turn.get("role")) for turn in said.turns)
    return Fault(
        said.record,
        f"the chat template of {model} refuses the row ({why}), got {roles:.80}",
        "change the row to what the template allows, delete it, or take another chat template",
        name="template-refuses",
    )


def _lost(said: Conversation, model: Path, loss: Loss) -> Fault:
    return Fault(
        said.record,
        f"the chat template of {model} does not write {loss.key}, so it would be lost, got"
        f" {shown(loss.value)}",
        FIXES[loss.key].format(another=ANOTHER),
        name="not-written",
    )


def _without_places(said: Conversation, model: Path) -> Fault:
    return Fault(
        said.record,
        f"the chat template of {model} does not mark replies, and does not write this row's behind their"
        f" prompts, got {', '.join(str(turn.get('role')) for turn in said.turns):.80}",
        "put {% generation %}...{% endgeneration %} once around each reply in the template, or train on all"
        " tokens: method.assistant_only=false",
        name="no-reply-places",
    )


def _unmarked(said: Conversation, model: Path, marks: int) -> Fault:
    return Fault(
        said.record,
        f"a reply is not to be trained, and the chat template of {model} does not mark every reply once, got"
        f" {marks} marks",
        "put {% generation %}...{% endgeneration %} once around each reply in the template",
        name="no-reply-places",
    )
