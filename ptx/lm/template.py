"""Check whether a model's chat template marks the assistant's tokens.

Training on the answers of a conversation needs ``{% generation %}`` around them in the template. For
well-known templates without it, TRL ships a version that has it and uses that for training only; the model
keeps its own template.
"""

from __future__ import annotations

from pathlib import Path

from ptx import Problem
from ptx.models.inspection import inspect
from ptx.models.inspection import problems as model_problems


def problems(model: Path) -> list[Problem]:
    """A problem if the template of ``model`` does not allow training on the assistant's tokens alone.

    TRL is imported only for a template without ``{% generation %}``.
    """
    if model_problems(model):
        return []
    facts = inspect(model)
    if not facts.has_chat_template or facts.trains_on_assistant or _known_to_trl(model):
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


def _known_to_trl(model: Path) -> bool:
    from ptx.lm.load import load_tokenizer

    tokenizer = load_tokenizer(model)
    from trl.chat_template_utils import get_training_chat_template

    try:
        return get_training_chat_template(tokenizer) is not None
    except ValueError:
        return False
