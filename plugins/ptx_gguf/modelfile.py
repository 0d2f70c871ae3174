"""The Modelfile with which Ollama serves the file as the model was measured. Imports no ML library.

Ollama has defaults of its own: it samples at 0.8, makes repetitions less likely, serves 4096 tokens and, for
a model whose template it does not recognise, sends the prompt as it is. So the file states all of these: the
settings of the model's generation config, what its context is, the texts that end a reply, and the chat
template in Ollama's language (:mod:`ptx_gguf.go_template`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ptx.models.chat import ChatTemplate
from ptx.models.generation import SAMPLING
from ptx_gguf.go_template import Around, around

FILE = "Modelfile"
HEAD = "# ollama create NAME -f Modelfile\nFROM ./model.gguf\n"
#: where the model has no chat template
COMPLETION = "{{ .Prompt }}"
TOOLS = "# The template writes messages, no tools.\n"
NO_TEMPLATE = """\
# TEMPLATE is missing: the model's chat template cannot be said in Ollama's language. Ollama takes one of its
# own if it recognises the template in model.gguf, else it sends the prompt as it is. llama-server has no such
# limit: llama-server -m model.gguf --jinja
"""
LACKS = "without TEMPLATE: the chat template does more than Ollama's can say"
#: setting of a generation config -> Ollama's name
SETTINGS = {"temperature": "temperature", "top_k": "top_k", "top_p": "top_p", "min_p": "min_p"}


def write_modelfile(
    folder: Path, generation: Mapping[str, Any], ends: Sequence[str], context: int, *, begins: bool
) -> str:
    """Write the file beside ``model.gguf`` and the tokenizer; return what it lacks.

    Args:
        folder: the package.
        generation: the model's generation config.
        ends: the texts of the tokens that end a reply.
        context: tokens that a request may have.
        begins: the server puts the beginning-of-text token before a prompt.
    """
    template = ChatTemplate.of(folder)
    found = around(template, begins=begins) if template else None
    parts = [HEAD, *map(parameter, *zip(*settings(generation, context), strict=True))]
    parts += [parameter("stop", quote(end)) for end in dict.fromkeys([*ends, *_turn_end(found)])]
    if found:
        parts += [TOOLS, f"TEMPLATE {quote(found.go())}\n"]
    else:
        parts.append(NO_TEMPLATE if template else f"TEMPLATE {quote(COMPLETION)}\n")
    (folder / FILE).write_text("".join(parts), encoding="utf-8")
    return (
        "without TEMPLATE: the chat template does more than Ollama's can say"
        if template and not found
        else ""
    )


def settings(generation: Mapping[str, Any], context: int) -> Iterator[tuple[str, Any]]:
    """Yield Ollama's parameters for a generation config, each with its value.

    transformers takes the likeliest token where the config does not say ``do_sample``.
    """
    yield "num_ctx", context
    if generation.get("do_sample"):
        for name, theirs in SETTINGS.items():
            value = generation.get(name)
            if (value := SAMPLING[name] if value is None else value) is not None:
                yield theirs, value
    else:
        yield "temperature", 0
    yield "repeat_penalty", generation.get("repetition_penalty") or 1.0
    if most := generation.get("max_new_tokens"):
        yield "num_predict", most


def parameter(name: str, value: Any) -> str:
    """Return a line of the file."""
    return f"PARAMETER {name} {value}\n"


def quote(text: str) -> str:
    """Return a text as the file holds it: whole, with its line breaks and spaces at the ends."""
    marks = '"""' if "\n" in text or '"' in text else '"'
    return f"{marks}{text}{marks}"


def _turn_end(found: Around | None) -> list[str]:
    """What the template writes behind a reply, up to its line break, if that is a special token."""
    end = found.assistant[1].strip().partition("\n")[0] if found else ""
    return [end] if end.startswith("<") and end.endswith(">") and end.count("<") == 1 else []
