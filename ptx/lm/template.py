"""The chat template that a training renders with, and whether it marks the assistant's tokens.

Training on the answers of a conversation needs ``{% generation %}`` around them in the template. For
well-known templates without it, TRL ships a version that has it; it is used for training only, and the model
keeps its own template. TRL's versions are read from its folder without importing it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ptx import Problem
from ptx.models.chat import ChatTemplate, sources_of
from ptx.models.inspection import problems as model_problems

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")


def problems(model: Path) -> list[Problem]:
    """A problem if the template of ``model`` does not allow training on the assistant's tokens alone."""
    if model_problems(model):
        return []
    sources = sources_of(model)
    if not sources or all(GENERATION.search(training_source(source)) for source in sources.values()):
        return []
    return [
        Problem(
            f"the chat template of {model} does not mark the assistant's tokens ({{% generation %}} is"
            " missing), so training on them alone is not possible",
            "put {% generation %}...{% endgeneration %} around the assistant's content and its end token, or"
            " train on all tokens with method.assistant_only=false",
            fields=("method.assistant_only",),
        )
    ]


def training_source(source: str) -> str:
    """The template itself if it marks the assistant's tokens, else TRL's version of it where there is one."""
    return source if GENERATION.search(source) else _versions().get(source, source)


@cache
def _versions() -> dict[str, str]:
    """Well-known templates -> the version of each with marks (TRL's ``NAME_training.jinja``)."""
    trl = find_spec("trl")
    found = {}
    for folder in trl.submodule_search_locations or () if trl else ():
        for file in Path(folder).glob("chat_templates/*_training.jinja"):
            plain = file.with_name(file.name.replace("_training.jinja", ".jinja"))
            if plain.exists():
                found[plain.read_text(encoding="utf-8")] = file.read_text(encoding="utf-8")
    return found


def template_of(tokenizer: PreTrainedTokenizerBase, *, marked: bool) -> ChatTemplate:
    """The template of a tokenizer; with ``marked`` the version that marks the assistant's tokens."""
    own = tokenizer.chat_template
    sources = own if isinstance(own, dict) else {"default": own}
    if marked:
        sources = {name: training_source(source) for name, source in sources.items()}
    tokens = {name: value for name, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}
    return ChatTemplate(sources, tokens)
