"""The chat template that a training renders with, and whether it marks the assistant's tokens.

Training on the answers of a conversation needs their places in the text: ``{% generation %}`` in the template
or in TRL's version of it (:mod:`ptx.models.marks`), else a template that writes a reply behind its prompt
(:mod:`ptx.models.replies`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ptx import Problem
from ptx.models.chat import ChatTemplate
from ptx.models.inspection import problems as model_problems
from ptx.models.marks import training_source
from ptx.models.replies import has_places

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def problems(model: Path) -> list[Problem]:
    """A problem if the template of ``model`` does not allow training on the assistant's tokens alone."""
    if model_problems(model) or has_places(model):
        return []
    return [
        Problem(
            f"the chat template of {model} does not mark the assistant's tokens ({{% generation %}} is"
            " missing) and does not write a reply behind its prompt, so training on them alone is not"
            " possible",
            "put {% generation %}...{% endgeneration %} around the assistant's content and its end token, or"
            " train on all tokens with method.assistant_only=false",
            fields=("method.assistant_only",),
        )
    ]


def template_of(tokenizer: PreTrainedTokenizerBase, *, marked: bool) -> ChatTemplate:
    """The template of a tokenizer; with ``marked`` the version that marks the assistant's tokens."""
    own = tokenizer.chat_template
    sources = own if isinstance(own, dict) else {"default": own}
    if marked:
        sources = {name: training_source(source) for name, source in sources.items()}
    tokens = {name: value for name, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}
    return ChatTemplate(sources, tokens)
