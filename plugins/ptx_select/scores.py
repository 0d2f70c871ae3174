"""The numbers that rows are ranked by: lengths, perplexities, and both definitions of IFD.

IFD is how much a prompt helps to predict its reply. Li et al. 2024 (Cherry LLM) divide the mean loss of the
reply after its prompt by that of the reply alone; Li et al. 2024b (Superfiltering) divide the perplexities.
The two do not rank alike. Above 1 the prompt misleads: reply and prompt do not fit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ptx import LanguageModel
from ptx.lm.evaluation.ask import as_text
from ptx.lm.training.rows import prompt_turns
from ptx.stats.ngrams import texts_of

Row = dict[str, Any]
REPLY = ("completion", "chosen", "answer", "text", "prompt")


def content_of(shape: str, row: Row) -> list[str]:
    """The texts of a row that are trained or asked; columns beside them do not count."""
    columns = {"messages": ("messages",), "text": ("text",)}.get(
        shape, ("prompt", "completion", "chosen", "rejected")
    )
    values = [row.get(name) for name in columns]
    turns = [turn for value in values if isinstance(value, list) for turn in value]
    plain = [value for value in values if isinstance(value, str)]
    return plain + [text for turn in turns for text in texts_of(turn.get("content"))]


def reply_of(row: Row) -> str:
    """The text that is learnt: the last reply, the chosen side, the text; the prompt where there is none."""
    if "messages" in row:
        return str(row["messages"][-1].get("content") or "")
    value = next(row[name] for name in REPLY if row.get(name) is not None and name != "answer")
    return str(value if isinstance(value, str) else value[-1].get("content") or "")


def context_of(lm: LanguageModel, row: Row) -> str:
    """What stands before the reply as the model reads it; empty for a plain text."""
    if "messages" in row:
        return as_text(lm, row["messages"][:-1])
    if "text" in row or not any(name in row for name in ("completion", "chosen")):
        return ""
    if getattr(lm.tokenizer, "chat_template", None):
        return as_text(lm, prompt_turns(row))
    return str(row["prompt"])


def losses(lm: LanguageModel, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """The mean loss in nats per token of each reply after its context; nan where it has no token."""
    counts = [len(lm.tokenizer(reply, add_special_tokens=False)["input_ids"]) for _, reply in pairs]
    found = lm.loglikelihood(pairs)
    return [-total / count if count else math.nan for (total, _), count in zip(found, counts, strict=True)]


def scored(lm: LanguageModel, by: str, rows: Sequence[Row]) -> list[float]:
    """The number of each row for ``by``: perplexity, ifd or ifd_ppl."""
    replies = [reply_of(row) for row in rows]
    given = losses(lm, [(context_of(lm, row), reply) for row, reply in zip(rows, replies, strict=True)])
    if by == "perplexity":
        return [math.exp(min(loss, 700)) for loss in given]
    alone = losses(lm, [("", reply) for reply in replies])
    return [ifd(by, one, other) for one, other in zip(given, alone, strict=True)]


def ifd(by: str, given: float, alone: float) -> float:
    """The difficulty of a reply from its mean losses after its prompt and alone."""
    if by == "ifd_ppl":
        return math.exp(min(given - alone, 700))
    return given / alone if alone > 0 else math.nan
