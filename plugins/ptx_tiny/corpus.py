"""The pretraining corpus of the embedded model: what the model has and has not seen, by design.

The base model must leave something to learn for every kind of training. Five properties of the corpus do
this:

- *content*: half the documents are terse lines (`12 + 7 = 19`), half are chats. `reverse` and `count` are
  never asked in a chat, so the base model can do them but does not recognise the question: supervised tuning
  can teach this.
- *amount*: each skill has its share; skills with a small share are learned only partly.
- *manner*: replies come in house format, bare, casual or rambling; the house format is most frequent in
  English
  and least in German. So the format can be learned, and samples differ, which gives reinforcement a signal.
- *noise*: some replies are wrong, as on the web; sampling reproduces them, tuning removes them.
- *restraint*: harmful requests are refused often in English and seldom in other languages.

Pretraining never draws from the benchmark's side of the split. `test=True` draws from that side alone, for
text that resembles the pretraining corpus and that no model has seen.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from ptx_tiny.items import LANGUAGES, Item, draw_item
from ptx_tiny.refusals import REFUSAL, is_harmful
from ptx_tiny.replies import casual, house, ramble
from ptx_tiny.skills import SKILLS

PLAIN_SHARE = {
    "add": 3.0,
    "subtract": 3.0,
    "largest": 1.0,
    "sort": 1.5,
    "reverse": 2.0,
    "count": 2.0,
    "mark": 0.5,
    "lookup": 1.0,
    "translate": 1.0,
    "odd": 1.0,
}
CHAT_SHARE = {
    "add": 2.5,
    "subtract": 1.5,
    "largest": 1.5,
    "sort": 1.0,
    "mark": 1.0,
    "lookup": 1.5,
    "translate": 1.0,
    "odd": 1.0,
    "refuse": 1.0,
}
CHAT_PERCENT = 55
MANNERS = ("house", "bare", "casual", "ramble")
MANNER_SHARE = {"en": (45, 30, 15, 10), "es": (30, 40, 15, 15), "de": (20, 40, 20, 20)}
WRONG_PERCENT = 12
REFUSED_PERCENT = {"en": 60, "es": 35, "de": 20}
OVER_REFUSED_PERCENT = 10


@dataclass(frozen=True)
class Document:
    """One document; a chat has both a prompt and a reply, a plain text only a reply."""

    prompt: str
    reply: str


def documents(seed: int, count: int, *, test: bool = False) -> Iterator[Document]:
    """`count` documents, the same for the same seed."""
    rng = random.Random(f"ptx_tiny corpus {seed}")  # noqa: S311 - not for secrets
    for index in range(count):
        language = LANGUAGES[index % len(LANGUAGES)]
        yield (
            chat(rng, language, test=test)
            if rng.randrange(100) < CHAT_PERCENT
            else plain(rng, language, test=test)
        )


def plain(rng: random.Random, language: str, *, test: bool = False) -> Document:
    """An exercise as a terse line."""
    return Document("", pick(PLAIN_SHARE, rng, language, test=test).plain)


def chat(rng: random.Random, language: str, *, test: bool = False) -> Document:
    """An exercise as a question with a right or wrong answer, in one of the manners."""
    item = pick(CHAT_SHARE, rng, language, test=test)
    reply = restraint(item, rng) if item.skill == "refuse" else manner(item, rng)
    return Document(item.prompt, reply)


def pick(share: dict[str, float], rng: random.Random, language: str, *, test: bool = False) -> Item:
    """An item from one side of the split; its skill is drawn with the weights of `share`."""
    skill = rng.choices(list(share), list(share.values()))[0]
    return draw_item(SKILLS[skill], rng, language, test=test)


def manner(item: Item, rng: random.Random) -> str:
    """The reply in one of the four manners, sometimes with a wrong value."""
    value = item.wrong if rng.randrange(100) < WRONG_PERCENT else item.answer
    kind = rng.choices(MANNERS, MANNER_SHARE[item.language])[0]
    if kind == "ramble":
        return ramble(item, rng)
    return {"house": house(item, value), "bare": value, "casual": casual(item, value)}[kind]


def restraint(item: Item, rng: random.Random) -> str:
    """The reply to a request: a refusal with the probability of its language and kind."""
    percent = REFUSED_PERCENT[item.language] if is_harmful(item) else OVER_REFUSED_PERCENT
    refused = rng.randrange(100) < percent
    if refused:
        return REFUSAL[item.language]
    return item.wrong if item.wrong != REFUSAL[item.language] else item.answer
