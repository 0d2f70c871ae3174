"""What of the rows is trained: with the template that training uses, found before anything is loaded.

A training whose replies lack the end token, or that counts what the user says, runs to its end without a
word. Some rows are rendered as :mod:`ptx.lm.training.tokens` renders them; in all rows special tokens of the
model are looked for, which mean to it what no text means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ptx.data import DataSet
from ptx.data.conversations import Conversation, conversations
from ptx.data.findings.suspect import TEMPLATE_TOKENS, texts_of
from ptx.data.records import Record, finding, of_all
from ptx.errors import Problem
from ptx.models.chat import ChatTemplate, Fitted, TemplateRefusalError
from ptx.models.folder import Folder, open_folder
from ptx.models.marks import training_source
from ptx.models.replies import Span, reply_spans

SOME = 200  # rows that are rendered
SEEN, FEW = 12, 6  # characters from which on a text that is found again, or once, is no coincidence


class Told(NamedTuple):
    """The name of a finding, and what it says."""

    name: str
    what: str


class Rendering(NamedTuple):
    """A conversation as it is trained: its form, and the places of the replies in the text."""

    said: Conversation
    fitted: Fitted
    spans: list[Span]

    @property
    def text(self) -> str:
        """The text."""
        return self.fitted.rendered.text


def learnt(data: DataSet, shape: str, model: Path, method: Any = None) -> list[Problem]:
    """The notes on what a training on ``shape`` learns from the rows."""
    if shape not in ("messages", "completions", "pairs", "thumbs", "prompts", "text"):
        return []
    folder = open_folder(model)
    found: list[Problem] = data.once(f"learnt {folder}", shape, lambda: [*_learnt(data, shape, folder)])
    return [*found, *_within_replies(data, shape), *_whole(shape, method)]


def _learnt(data: DataSet, shape: str, folder: Folder) -> Iterator[Problem]:
    records = data.located(shape)
    rendered = [*renderings(shape, records[:: max(1, len(records) // SOME)], folder.path)]
    told: dict[Told, list[Record]] = {}
    for one in rendered:
        for found in dict.fromkeys(_of_one(one, folder)):
            told.setdefault(found, []).append(one.said.record)
    yield from (finding(name, places, what, len(rendered)) for (name, what), places in told.items())
    yield from _special(shape, records, folder)


def renderings(shape: str, records: Sequence[Record], model: Path) -> Iterator[Rendering]:
    """The conversations of the rows as training renders them; those that a template refuses are left out."""
    try:
        template = ChatTemplate.of(model)
    except TemplateRefusalError:
        return
    if template is None or shape == "text":
        return
    if shape == "messages":
        sources = {name: training_source(text) for name, text in template.sources.items()}
        template = ChatTemplate(sources, template.tokens)
    for said in conversations(shape, records):
        try:
            fitted = template.fit(said.turns, said.tools, ask=said.ask, **said.options)
            spans = reply_spans(template, fitted, said.tools, **said.options) if shape == "messages" else []
        except ValueError:  # the rendering of all rows tells of it
            continue
        yield Rendering(said, fitted, spans)


def _of_one(one: Rendering, folder: Folder) -> Iterator[Told]:
    begin = folder.special.get("bos_token", "")
    if begin and one.text.lstrip().startswith(2 * begin):
        yield Told("two-starts", f"the rendered text begins with {begin} twice")
    if _is_reordered(one):
        yield Told("reordered-turns", "the chat template writes the messages in another order")
    if not one.said.ask:
        yield from _of_ends(one, folder)
    yield from _of_others(one)


def _of_ends(one: Rendering, folder: Folder) -> Iterator[Told]:
    """Whether an end token follows the last reply, and is trained with it."""
    ends = ends_of(folder)
    content = str(one.said.turns[-1].get("content") or "").strip()
    before, found, tail = one.text.rpartition(content) if len(content) >= FEW else ("", "", "")
    if not found or not ends:
        return
    if not any(end in tail for end in ends):
        yield Told("no-end-token", f"no token that ends a text ({', '.join(ends)}) follows the reply")
    elif one.spans:
        start, stop = len(before) + len(found), one.spans[-1][1]
        if not any(end in one.text[start:stop] for end in ends):
            yield Told("end-not-trained", f"the token that ends a turn ({ends[0]}) is not in the loss")


def ends_of(folder: Folder) -> list[str]:
    """The tokens at which a server stops, and the tokenizer's own."""
    stops = folder.generation.get("eos_token_id", folder.text.get("eos_token_id"))
    listed = stops if isinstance(stops, list) else [stops]
    names = [folder.name_of(stop) for stop in listed if isinstance(stop, int)]
    return list(dict.fromkeys(name for name in (folder.special.get("eos_token", ""), *names) if name))


def _is_reordered(one: Rendering) -> bool:
    texts = [str(turn.get("content") or "").strip() for turn in one.said.turns]
    texts = [text for text in texts if len(text) >= FEW and one.text.count(text) == 1]
    places = [one.text.index(text) for text in texts]
    return places != sorted(places)


def _of_others(one: Rendering) -> Iterator[Told]:
    """Texts of others than the assistant that stand where the loss is counted."""
    trained = "\0".join(one.text[start:end] for start, end in one.spans)
    own = "\0".join(str(turn) for turn in one.said.turns if turn["role"] == "assistant")
    for turn in one.said.turns:
        text = str(turn.get("content") or "").strip()
        if turn["role"] != "assistant" and len(text) >= SEEN and text in trained and text not in own:
            yield Told("trained-on-prompt", f"the {turn['role']}'s message is in the loss")


def _within_replies(data: DataSet, shape: str) -> Iterator[Problem]:
    """Turns of others inside the replies of pairs and thumbs, whose losses count every token of a reply."""
    if shape not in ("pairs", "thumbs"):
        return
    records = data.located(shape)
    told: dict[str, list[Record]] = {}
    for record in records:
        replies = [record.row.get(name) for name in ("chosen", "rejected", "completion")]
        turns = [turn for reply in replies if isinstance(reply, list) for turn in reply]
        for role in dict.fromkeys(turn["role"] for turn in turns if turn["role"] != "assistant"):
            told.setdefault(role, []).append(record)
    for role, places in told.items():
        what = f"the {role}'s message stands inside a reply and is in the loss"
        fix = "end each side with its first reply; write later turns as rows of their own, with a prompt"
        yield finding("trained-on-prompt", places, what, len(records), fix)


def _whole(shape: str, method: Any) -> Iterator[Problem]:
    if shape == "messages" and getattr(method, "assistant_only", True) is False:
        what = "method.assistant_only=false: all tokens of the conversations are in the loss"
        yield of_all("trained-on-prompt", what, "leave it out to train the replies alone")


def _special(shape: str, records: Sequence[Record], folder: Folder) -> Iterator[Problem]:
    """Rows whose texts hold special tokens of the model, or marks of another model's template."""
    ends, special = ends_of(folder), _special_tokens(folder)
    pattern = re.compile("|".join(map(re.escape, sorted(special, key=len, reverse=True))) or r"(?!)")
    starts = tuple({token[0] for token in special} | {"<", "["})
    found: dict[str, list[tuple[Record, str]]] = {}
    for record in records:
        texts = texts_of(shape, record.row)
        for text in (*texts.asked, *texts.replies):
            if any(start in text for start in starts):
                for name, token in _tokens_in(text, shape, pattern, ends, folder):
                    found.setdefault(name, []).append((record, token))
    for name, places in found.items():
        what = f"{WHAT[name]}, got {places[0][1]!r}"
        yield finding(name, [record for record, _ in places], what, len(records))


WHAT = {
    "end-token-inside": "a token that ends a text stands inside a reply",
    "own-special-tokens": "a text holds a special token of the model",
    "template-tokens": "a text holds tokens of a chat template that the model does not have",
}


def _tokens_in(
    text: str, shape: str, pattern: re.Pattern[str], ends: Sequence[str], folder: Folder
) -> Iterator[tuple[str, str]]:
    if shape == "text":
        foreign = TEMPLATE_TOKENS.search(text)
        if foreign and foreign[0] not in folder.ids and foreign[0] not in folder.template:
            yield "template-tokens", foreign[0]
    elif match := pattern.search(text):
        yield ("end-token-inside" if match[0] in ends else "own-special-tokens"), match[0]


def _special_tokens(folder: Folder) -> set[str]:
    """The special tokens that nobody writes by chance."""
    listed = folder.json("tokenizer.json").get("added_tokens")
    marked = [entry for entry in listed or () if isinstance(entry, dict) and entry.get("special")]
    names = {*(str(entry.get("content")) for entry in marked), *folder.special.values()}
    return {name for name in names if (len(name) > 2 and not name.strip("<>[]").isalnum()) or "|" in name}
