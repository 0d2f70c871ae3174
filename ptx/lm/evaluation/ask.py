"""Ask a model questions in its chat template, if they fit into its context, and report progress.

Imports no ML library.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Self

from ptx.hooks.run import LanguageModel, Run
from ptx.lm.progress import Pace

CHUNK = 256  # questions per call of the runtime; progress is reported after each call
Turns = list[dict[str, str]]


class Reply(str):
    """The text of a reply and its ``seconds``: its share of the time of the call that generated it."""

    __slots__ = ("seconds",)
    seconds: float | None

    def __new__(cls, text: str, seconds: float | None = None) -> Self:
        """Make a reply: ``Reply("Yes.", 0.2)``."""
        reply = super().__new__(cls, text)
        reply.seconds = seconds
        return reply


def seconds_of(reply: str | None) -> float | None:
    """The seconds of a reply; None if there is no reply, or if it was stored without them."""
    return getattr(reply, "seconds", None)


def ask(
    run: Run,
    lm: LanguageModel,
    chats: Sequence[Turns],
    max_new_tokens: int,
    *,
    prefills: Sequence[str] = (),
    temperature: float = 0.0,
) -> list[Reply | None]:
    """A reply to each chat; None if the prompt and the longest reply do not fit into the model's context.

    Each reply begins with the text in ``prefills``, which is not part of the returned text. A model without a
    chat template reads the turns as plain lines, and the run reports that.
    """
    if not getattr(lm.tokenizer, "chat_template", None):
        run.say("the model has no chat template: questions are asked as plain text")
    texts = [as_text(lm, chat) + (prefills[place] if prefills else "") for place, chat in enumerate(chats)]
    return answers_to(run, lm, texts, max_new_tokens, temperature=temperature)


def answers_to(
    run: Run, lm: LanguageModel, texts: Sequence[str], max_new_tokens: int, *, temperature: float = 0.0
) -> list[Reply | None]:
    """A reply to each finished prompt; None if it and the longest reply do not fit into the context."""
    fits = [place for place, text in enumerate(texts) if _tokens(lm, text) + max_new_tokens <= lm.max_length]
    replies: list[Reply | None] = [None] * len(texts)
    pace = Pace(run)
    for start in range(0, len(fits), CHUNK):
        part = fits[start : start + CHUNK]
        began = time.perf_counter()
        made = lm.generate(
            [texts[place] for place in part], max_new_tokens, temperature=temperature, seed=run.seed + start
        )
        share = (time.perf_counter() - began) / len(part)
        for place, reply in zip(part, made, strict=True):
            replies[place] = Reply(reply, share)
        pace.log({"replies": float(start + len(part))}, start + len(part), len(fits))
    return replies


def as_text(lm: LanguageModel, chat: Turns) -> str:
    """The prompt for a chat, up to the start of the model's reply."""
    if not getattr(lm.tokenizer, "chat_template", None):
        return "".join(f"{turn['content']}\n" for turn in chat)
    return str(lm.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))


def _tokens(lm: LanguageModel, text: str) -> int:
    return len(lm.tokenizer(text, add_special_tokens=False)["input_ids"])
