"""Putting questions to a model: as its chat template writes them, only where they fit, with progress. Imports
no ML library.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Self

from ptx.hooks.run import LanguageModel, Run
from ptx.lm.progress import Pace

CHUNK = 256  # questions per call of the runtime; progress is reported in between
Turns = list[dict[str, str]]


class Reply(str):
    """What a model answered, and the ``seconds`` it took: its share of the call in which it was made."""

    __slots__ = ("seconds",)
    seconds: float | None

    def __new__(cls, text: str, seconds: float | None = None) -> Self:
        """``Reply("Yes.", 0.2)``."""
        made = super().__new__(cls, text)
        made.seconds = seconds
        return made


def seconds_of(reply: str | None) -> float | None:
    """What a reply took; None for one that was stored without it, or never made."""
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
    """A reply per chat; None where prompt and longest reply do not fit into the model's context (it would
    lose its beginning).

    ``prefills`` are how the replies are made to begin; they are not part of what is returned. A model without
    a chat template reads the turns as plain lines, which is said.
    """
    if not getattr(lm.tokenizer, "chat_template", None):
        run.say("the model has no chat template: questions are put to it as plain text")
    texts = [as_text(lm, chat) + (prefills[place] if prefills else "") for place, chat in enumerate(chats)]
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
    """What the model reads, up to where its reply begins."""
    if not getattr(lm.tokenizer, "chat_template", None):
        return "".join(f"{turn['content']}\n" for turn in chat)
    return str(lm.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))


def _tokens(lm: LanguageModel, text: str) -> int:
    return len(lm.tokenizer(text, add_special_tokens=False)["input_ids"])
