"""Token ids and labels of supervised rows: what is read, and what is trained.

ptx renders and tokenises these rows itself, in batches, and TRL trains on the ids: so the text that was
checked (:mod:`ptx.plan.rendering`) is the text that is trained, and single turns can be left out of the loss
(``train: false``), which TRL has no setting for. Ids and labels are those of TRL's SFTTrainer (the tests
compare them): the end token follows a plain text, the tokens of ``{% generation %}`` are the assistant's
(those of :mod:`ptx.models.replies` where a template has none), and a completion begins where prompt and whole
part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ptx.data.conversations import as_turns
from ptx.errors import StepError
from ptx.lm.template import template_of
from ptx.lm.training.inspection import MASKED
from ptx.models.replies import reply_spans

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedTokenizerBase

    from ptx.models.chat import ChatTemplate, Fitted

Row = dict[str, Any]
Ids = list[int]
Span = tuple[int, int]
BATCH = 1000  # rows that are tokenised together


def token_rows(
    shape: str, rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, *, answers_only: bool
) -> list[Row]:
    """``input_ids`` and ``labels`` of every row of ``shape``: messages, completions or text.

    With ``answers_only`` the labels of everything but the answers are masked; a plain text is trained whole.
    """
    chat = tokenizer.chat_template is not None and shape != "text"
    template = template_of(tokenizer, marked=answers_only and shape == "messages") if chat else None
    made: list[Row] = []
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        if template is not None and shape == "messages":
            found = _conversations(batch, tokenizer, template, answers_only=answers_only)
        else:
            found = _pieces(shape, batch, tokenizer, template, answers_only=answers_only)
        made += [
            {"input_ids": np.asarray(ids, np.int32), "labels": np.asarray(labels, np.int32)}
            for ids, labels in found
        ]
    return made


def _conversations(
    rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, template: ChatTemplate, *, answers_only: bool
) -> Iterator[tuple[Ids, Ids]]:
    fitted = [_fitted(row["messages"], row, template) for row in rows]
    found = tokenizer([one.rendered.text for one in fitted], add_special_tokens=False)
    for place, (row, one) in enumerate(zip(rows, fitted, strict=True)):
        ids = found["input_ids"][place]
        if answers_only:
            spans = reply_spans(template, one, row.get("tools"), **(row.get("chat_template_kwargs") or {}))
            yield ids, _labels(found, place, ids, trained_spans(row["messages"], spans))
        else:
            yield ids, ids


def _fitted(turns: list[Row], row: Row, template: ChatTemplate, *, ask: bool = False) -> Fitted:
    return template.fit(turns, row.get("tools"), ask=ask, **(row.get("chat_template_kwargs") or {}))


def trained_spans(turns: Sequence[Row], spans: list[Span]) -> list[Span]:
    """The places of the assistant's messages that are trained.

    Raises:
        StepError: some are not, and the template does not mark every message of the assistant once.
    """
    replies = [turn for turn in turns if turn["role"] == "assistant"]
    if all(turn.get("train", True) for turn in replies):
        return spans
    if len(spans) != len(replies):
        raise StepError(
            f"the chat template marks {len(spans)} places for {len(replies)} replies, so single replies"
            " cannot be left out of the loss; put {% generation %} once around each reply"
        )
    return [span for turn, span in zip(replies, spans, strict=True) if turn.get("train", True)]


def _labels(found: BatchEncoding, place: int, ids: Ids, spans: list[Span]) -> Ids:
    """The ids of the tokens in the spans of characters, all others masked."""
    labels = [MASKED] * len(ids)
    for start, end in spans:
        first = found.char_to_token(place, start)
        if first is None or end == start:
            continue
        last = found.char_to_token(place, end - 1)
        stop = len(ids) if last is None else last + 1
        labels[first:stop] = ids[first:stop]
    return labels


def _pieces(
    shape: str,
    rows: Sequence[Row],
    tokenizer: PreTrainedTokenizerBase,
    template: ChatTemplate | None,
    *,
    answers_only: bool,
) -> Iterator[tuple[Ids, Ids]]:
    """Completions, whose labels begin behind the prompt, and texts."""
    texts = [_texts(shape, row, tokenizer, template) for row in rows]
    special = template is None
    wholes = tokenizer([whole for _, whole in texts], add_special_tokens=special)["input_ids"]
    prompts = tokenizer([prompt for prompt, _ in texts], add_special_tokens=special)["input_ids"]
    for ids, prompt in zip(wholes, prompts, strict=True):
        asked = common_length(prompt, ids) if answers_only and shape == "completions" else 0
        yield ids, [MASKED] * asked + ids[asked:]


def _texts(
    shape: str, row: Row, tokenizer: PreTrainedTokenizerBase, template: ChatTemplate | None
) -> tuple[str, str]:
    """The prompt and the whole text of a row."""
    if template is not None:
        turns = as_turns(shape, row)
        prompt = _fitted(turns["prompt"], row, template, ask=True).rendered.text
        return prompt, _fitted([*turns["prompt"], *turns["completion"]], row, template).rendered.text
    end = tokenizer.eos_token or ""
    prompt = row["prompt"] if shape == "completions" else ""
    reply = row["completion"] if shape == "completions" else row["text"]
    return prompt, prompt + (reply if end and reply.endswith(end) else reply + end)


def common_length(first: Ids, second: Ids) -> int:
    """The number of tokens that both begin with."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(first), len(second)))
