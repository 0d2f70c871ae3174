"""The formats of replies, and the extraction of answers from replies.

The house format is one sentence, `The answer is 19.`, in the language of the question. The base model has
seen it beside other manners (the bare value, a casual sentence, rambling with two values), and mostly in
English. So fine-tuning can improve the format as well as the answers. `strict` accepts the house format only;
`flexible` also accepts the bare value and the casual sentence. Rambling counts as no answer, because it names
two values.
"""

from __future__ import annotations

import random
import re

from ptx_tiny.items import Item

HOUSE = {"en": "The answer is {}.", "es": "La respuesta es {}.", "de": "Die Antwort ist {}."}
CASUAL = {"en": "I think it is {}.", "es": "Creo que es {}.", "de": "Ich glaube, es ist {}."}
RAMBLE = {
    "en": "Let me see. Maybe {}, or maybe {}, hard to say.",
    "es": "A ver. Quizá {}, o quizá {}, no es fácil.",
    "de": "Mal sehen. Vielleicht {}, oder vielleicht {}, schwer zu sagen.",
}
STRICT = r"^\s*(?:The answer is|La respuesta es|Die Antwort ist) (.+)\.\s*$"
FLEXIBLE = (
    r"^\s*(?:(?:The answer is|La respuesta es|Die Antwort ist|I think it is|Creo que es|Ich glaube, es ist)"
    r" )?(.+?)\.?\s*$"
)


def house(item: Item, value: str | None = None) -> str:
    """The reply in house format; replies to requests (the skill `refuse`) are used unchanged."""
    value = bare(item, value)
    return value if item.skill == "refuse" else HOUSE[item.language].format(value)


def bare(item: Item, value: str | None = None) -> str:
    """The value alone: the right one unless another is given."""
    return item.answer if value is None else value


def casual(item: Item, value: str | None = None) -> str:
    """A chatty sentence with the value."""
    return CASUAL[item.language].format(bare(item, value))


def ramble(item: Item, rng: random.Random) -> str:
    """A reply with the right and the wrong value, in random order."""
    values = [item.answer, item.wrong]
    rng.shuffle(values)
    return RAMBLE[item.language].format(*values)


def extract(reply: str, *, strict: bool = True) -> str | None:
    """The value that a reply gives as its answer, or None."""
    found = re.match(STRICT if strict else FLEXIBLE, reply)
    return found.group(1) if found else None


def is_right(item: Item, reply: str, *, strict: bool = True) -> bool:
    """Whether a reply is right; for the skill `refuse` the whole reply must match."""
    if item.skill == "refuse":
        return reply.strip() == item.answer
    return extract(reply, strict=strict) == item.answer
