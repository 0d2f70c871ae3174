"""Rows as tokens, with those that a training counts in its loss: what ``ptx check --show`` prints.

The text is rendered and the places of the replies are found by the functions that training uses
(:meth:`~ptx.models.chat.ChatTemplate.fit`, :func:`~ptx.models.replies.reply_spans`); a test compares ids and
labels with those of :mod:`ptx.lm.training.tokens`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from ptx.data import DataSet
from ptx.data.conversations import as_turns
from ptx.data.records import Record
from ptx.models.chat import ChatTemplate, Turn
from ptx.models.folder import open_folder
from ptx.models.marks import training_source
from ptx.models.replies import reply_spans
from ptx.models.sizes import context
from ptx.models.tokenizer_file import open_tokenizer
from ptx.plan.lengths import limit_of

#: what becomes of a token
READ, TRAINED, CUT = "read", "trained", "cut"
#: column -> how the example is called
SIDES = {"completion": "", "chosen": "chosen", "rejected": "rejected"}
Span = tuple[int, int]


class Example(NamedTuple):
    """A text to tokenise: which part of the row it is, and the places that are trained (in characters)."""

    part: str
    text: str
    spans: list[Span]
    asked: str | None = None  # trained is what follows the tokens that this text shares with the whole


class ShownRow(NamedTuple):
    """A row as tokens: (what becomes of it, its id, its text) of each."""

    place: str
    part: str
    tokens: list[tuple[str, int, str]]

    def pieces(self) -> list[tuple[str, str]]:
        """Runs of tokens with the same fate, as text."""
        return [
            (fate, "".join(text for _, _, text in group))
            for fate, group in groupby(self.tokens, key=lambda token: token[0])
        ]

    def count(self, fate: str) -> int:
        """How many tokens have this fate."""
        return sum(token[0] == fate for token in self.tokens)

    def plain(self) -> dict[str, Any]:
        """The row as plain data."""
        counts = {fate: self.count(fate) for fate in (TRAINED, READ, CUT)}
        return {"place": self.place, "part": self.part, "tokens": counts, "pieces": self.pieces()}


def shown_rows(data: DataSet, shape: str, model: Path, method: Any, count: int) -> list[ShownRow]:
    """The first ``count`` rows as they are trained; none where the folder has no tokenizer.json."""
    tokenizer = open_tokenizer(model)
    if tokenizer is None:
        return []
    folder = open_folder(model)
    limit = limit_of(method, context(folder.text)).tokens
    whole = getattr(method, "assistant_only", True) is False
    template = None if shape == "text" else _template(model, marked=shape == "messages" and not whole)
    end = folder.special.get("eos_token", "")
    made = []
    for record in data.located(shape)[:count]:
        for example in _examples(shape, record, template, end, whole=whole):
            tokens = _tokens(tokenizer, example, special=template is None, limit=limit)
            made.append(ShownRow(record.place, example.part, tokens))
    return made


def _template(model: Path, *, marked: bool) -> ChatTemplate | None:
    template = ChatTemplate.of(model)
    if template is None or not marked:
        return template
    sources = {name: training_source(source) for name, source in template.sources.items()}
    return ChatTemplate(sources, template.tokens)


def _examples(
    shape: str, record: Record, template: ChatTemplate | None, end: str, *, whole: bool
) -> Iterator[Example]:
    row = record.row
    if template is None:
        yield from _plain(shape, row, end, whole=whole)
    elif shape == "messages":
        text, spans = _conversation(template, row, row["messages"])
        yield Example("", text, [(0, len(text))] if whole else spans)
    else:
        prompt, *replies = as_turns(shape, row).items()
        asked = _rendered(template, row, prompt[1], ask=True)
        for name, reply in replies:
            text = _rendered(template, row, [*prompt[1], *reply])
            spans = [(0, len(text))] if whole and shape == "completions" else []
            yield Example(SIDES[name], text, spans, asked)
        if not replies:
            yield Example("", asked, [])


def _plain(shape: str, row: dict[str, Any], end: str, *, whole: bool) -> Iterator[Example]:
    """Texts without a chat template: prompt and reply are joined, the end token follows."""
    if shape == "text":
        text = _ended(row["text"], end)
        yield Example("", text, [(0, len(text))])
        return
    for name in [name for name in SIDES if isinstance(row.get(name), str)]:
        text = row["prompt"] + _ended(row[name], end)
        spans = [(0, len(text))] if whole and shape == "completions" else []
        yield Example(SIDES[name], text, spans, row["prompt"])


def _ended(text: str, end: str) -> str:
    return text if end and text.endswith(end) else text + end


def _rendered(template: ChatTemplate, row: dict[str, Any], turns: list[Turn], *, ask: bool = False) -> str:
    options = row.get("chat_template_kwargs") or {}
    return template.fit(turns, row.get("tools"), ask=ask, **options).rendered.text


def _conversation(template: ChatTemplate, row: dict[str, Any], turns: list[Turn]) -> tuple[str, list[Span]]:
    options = row.get("chat_template_kwargs") or {}
    fitted = template.fit(turns, row.get("tools"), **options)
    spans = reply_spans(template, fitted, row.get("tools"), **options)
    replies = [turn for turn in turns if turn["role"] == "assistant"]
    if len(spans) == len(replies):
        pairs = zip(replies, spans, strict=True)
        spans = [span for turn, span in pairs if turn.get("train", True)]
    return fitted.rendered.text, spans


def _tokens(
    tokenizer: Any, example: Example, *, special: bool, limit: int | None
) -> list[tuple[str, int, str]]:
    found = tokenizer.encode(example.text, add_special_tokens=special)
    trained = [False] * len(found.ids)
    for start, stop in example.spans:
        first, last = found.char_to_token(start), found.char_to_token(stop - 1)
        if first is not None and stop > start:
            until = len(found.ids) if last is None else last + 1
            trained[first:until] = [True] * (until - first)
    if example.asked is not None and not example.spans:
        asked = tokenizer.encode(example.asked, add_special_tokens=special).ids
        shared = _common(asked, found.ids)
        trained[shared:] = [True] * (len(found.ids) - shared)
    fates = [TRAINED if one else READ for one in trained]
    if limit is not None:
        fates[limit:] = [CUT] * len(fates[limit:])
    return [*zip(fates, found.ids, _texts(found, example.text), strict=True)]


def _texts(found: Any, text: str) -> list[str]:
    """The part of the text that each token stands for; a letter of several tokens stands with the first."""
    made: list[str] = []
    reached = 0
    for (start, end), token in zip(found.offsets, found.tokens, strict=True):
        added = start == end == 0 and not made  # a start token that the tokenizer adds
        made.append(token if added else text[max(start, reached) : max(end, reached)])
        reached = max(reached, end)
    return made


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(first), len(second)))
