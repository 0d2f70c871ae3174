"""Where the assistant's replies stand in a rendered conversation, for templates that do not mark them.

Most templates have no ``{% generation %}``. A reply is then what the template writes between the prompt that
a server would send (the conversation before it, with ``add_generation_prompt``) and the end of the
conversation up to it. This holds only where each of these texts is a beginning of the whole; a template that
rewrites earlier turns (it removes their reasoning, or says the number of messages first) is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ptx.models.chat import ChatTemplate, Fitted, TemplateRefusalError, Turn, sources_of, tokens_of
from ptx.models.marks import training_source

Span = tuple[int, int]
#: tells whether a template can be used: two questions and two replies
PROBE: list[Turn] = [
    {"role": "user", "content": "first question"},
    {"role": "assistant", "content": "first reply"},
    {"role": "user", "content": "second question"},
    {"role": "assistant", "content": "second reply"},
]


class NoPlaceError(ValueError):
    """A template in whose text the replies have no place of their own."""


def reply_spans(
    template: ChatTemplate, fitted: Fitted, tools: list[Turn] | None = None, **options: Any
) -> list[Span]:
    """The places (start, end) of the assistant's messages in the text, in characters.

    They are those of ``{% generation %}`` where the template has it. An end token belongs to the reply, the
    white space behind it does not: nothing is generated after the end token.

    Raises:
        NoPlaceError: the beginning of the conversation is not written as the beginning of the text.
        TemplateRefusalError: the template refuses the beginning of the conversation.
    """
    if template.marks_replies:
        return fitted.rendered.spans
    return list(_between(template, fitted, tools, options))


def _between(
    template: ChatTemplate, fitted: Fitted, tools: list[Turn] | None, options: dict[str, Any]
) -> Iterator[Span]:
    text = fitted.rendered.text
    for place, turn in enumerate(fitted.turns):
        if turn["role"] != "assistant":
            continue
        asked = template.render(fitted.turns[:place], tools, ask=True, **options).text
        upto = fitted.turns[: place + 1]
        told = text if len(upto) == len(fitted.turns) else template.render(upto, tools, **options).text
        if not (told.startswith(asked) and text.startswith(told)):
            raise NoPlaceError
        reply, content = told[len(asked) :], str(turn.get("content") or "")
        has_end = not reply.rstrip().endswith(content.rstrip() or reply)
        yield len(asked), len(asked) + len(reply.rstrip() if has_end else reply)


def has_places(folder: Path) -> bool:
    """Whether a training on the model in ``folder`` can tell the replies of a conversation from the rest."""
    sources = {name: training_source(source) for name, source in sources_of(folder).items()}
    try:
        return not sources or finds_replies(ChatTemplate(sources, tokens_of(folder)))
    except TemplateRefusalError:  # the plan says what is wrong with it when it renders the rows
        return False


def finds_replies(template: ChatTemplate) -> bool:
    """Whether the replies of a plain conversation have their places in the template's text."""
    try:
        reply_spans(template, template.fit(PROBE))
    except ValueError:
        return False
    return True
