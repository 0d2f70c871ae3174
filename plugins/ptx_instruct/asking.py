"""What a model is given so that it writes an instruction, and what is read out of its reply."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import NamedTuple

from ptx import LanguageModel, StepError
from ptx.files import digest_of
from ptx.lm.making.answering import prompt_text

SENTINEL = "Qx7Zk0Wv"
#: of the published filter of self-instruct: what a model that reads and writes text cannot do
BEYOND_TEXT = re.compile(
    r"\b(images?|graphs?|pictures?|files?|maps?|draw|plot|go to|video|audio|music|flowchart|diagram)\b",
    re.IGNORECASE,
)
HEADING = re.compile(
    r"^[\s*_#]*(?:task\s*\d*|(?:new|rewritten|evolved)\s+(?:task|prompt|instruction|question))"
    r"[*_\s]*:[*_\s]*",
    re.IGNORECASE,
)
OF_THE_REQUEST = re.compile(
    r"\b(?:rewritten|given|original|new) (?:task|prompt|instruction)s?\b|#\w+ prompt#", re.IGNORECASE
)
#: how evol changes a prompt: in depth, and in breadth
WAYS = (
    "Make the task below harder by adding one more condition that the answer has to meet.",
    "Change the task below so that it goes deeper into its subject.",
    "Change the task below so that its general words become a concrete case with names and numbers.",
    "Change the task below so that it takes several steps of thought to answer.",
    "Write another task of the same kind and about as hard as the one below, on a rarer subject.",
)
REWRITE = (
    "{way} It must make sense to a person, and be answerable in text. Reply with the new task only.\n\n"
    "Task: {task}"
)


class Form(NamedTuple):
    """What stands before and after the text of a user in a chat, and what ends it."""

    before: str
    after: str
    end: str


def form_of(lm: LanguageModel) -> Form:
    """The form of a user's turn by the model's own chat template, its default system text included.

    Raises:
        StepError: the model has no template, or one that changes the text of the user.
    """
    whole = prompt_text(lm, {"prompt": [{"role": "user", "content": SENTINEL}]})
    if whole.count(SENTINEL) != 1:
        raise StepError(
            "the chat template does not write the user's text once and as it is; try make.by=evol"
        )
    before, after = whole.split(SENTINEL)
    return Form(before, after, _end(after, specials(lm)))


def specials(lm: LanguageModel) -> list[str]:
    """The special tokens of the model's tokenizer as text."""
    return [str(one) for one in getattr(lm.tokenizer, "all_special_tokens", [])]


def _end(after: str, special: Sequence[str]) -> str:
    """The first special token behind the user's text; without one the text up to the end of its line."""
    found = [(after.find(one), one) for one in special if one and one in after]
    return min(found)[1] if found else next(filter(None, after.split("\n")), after)


def keeps_form(lm: LanguageModel, form: Form, text: str) -> bool:
    """Whether the template writes the text as it is, without a special token in it."""
    if any(one in text for one in specials(lm)):
        return False
    whole = prompt_text(lm, {"prompt": [{"role": "user", "content": text}]})
    return whole == form.before + text + form.after


def listed(lm: LanguageModel, shown: Sequence[str]) -> tuple[str, list[str]]:
    """The request for one more instruction behind those that are shown, and what ends the reply."""
    lines = "\n".join(f"Task {place}: {text}" for place, text in enumerate(shown, 1))
    if not getattr(lm.tokenizer, "chat_template", None):
        return f"Come up with a list of different tasks.\n{lines}\nTask {len(shown) + 1}:", ["\nTask"]
    asked = (
        f"Here are some tasks that people give to an assistant.\n\n{lines}\n\nWrite one more task of another"
        " kind. Reply with the task only."
    )
    return prompt_text(lm, {"prompt": [{"role": "user", "content": asked}]}), ["\nTask"]


def drawn_from(seed: int, ours: Sequence[str], own: Sequence[str], number: int) -> list[str]:
    """Instructions of the data and, one in four, of the model itself, in a drawn order."""
    draw = random.Random(seed)  # noqa: S311 (not a secret)
    mine = draw.sample(list(own), min(len(own), number // 4))
    given = draw.sample(list(ours), min(len(ours), number - len(mine)))
    return draw.sample([*given, *mine], len(given) + len(mine))


def rewriting(lm: LanguageModel, task: str, seed: int) -> str:
    """The request to rewrite a task in a way that follows from the seed and the task alone."""
    way = random.Random(digest_of([seed, task])).choice(WAYS)  # noqa: S311 (not a secret)
    asked = REWRITE.format(way=way, task=task)
    if not getattr(lm.tokenizer, "chat_template", None):
        return f"{asked}\nNew task:"
    return prompt_text(lm, {"prompt": [{"role": "user", "content": asked}]})


def read(reply: str) -> str:
    """The instruction in a reply, without a heading."""
    return HEADING.sub("", reply.strip(), count=1).strip()


def unfit(by: str, text: str) -> bool:
    """Whether a text is no instruction that can be learnt from, by the rules of the paper behind ``by``.

    Self-instruct drops those of up to 3 or more than 150 words, those that a text cannot answer, programs and
    what begins with punctuation. (It also drops what does not begin with an ASCII letter; here other
    languages are welcome.) Evol drops what speaks of the request.
    """
    if not text:
        return True
    if by == "evol":
        return bool(OF_THE_REQUEST.search(text))
    if by == "magpie":
        return False
    words = max(len(text.split()), len(text) // 6)
    begins = text[0] in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" or text.lower().startswith("write a program")
    return not 3 < words <= 150 or begins or bool(BEYOND_TEXT.search(text))
