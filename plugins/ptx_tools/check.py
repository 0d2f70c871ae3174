"""What is wrong with ``eval=[tools]`` before a model is loaded."""

from __future__ import annotations

from pathlib import Path

from ptx import ConfigError, Problem
from ptx.models import inspection
from ptx.models.calls import way_of
from ptx.models.chat import ChatTemplate, TemplateRefusalError
from ptx_tools import Tools
from ptx_tools.items import read_items
from ptx_tools.recorded import read_recorded


def problems(config: Tools, model: Path) -> list[Problem]:
    """Files that are missing or cannot be read, and a template without tools where it is asked for."""
    if not config.files:
        what = "eval.tools.files is empty: questions with tools are needed"
        return [Problem(what, "try eval.tools.files=[./heldout.jsonl], or a folder of BFCL's files")]
    found: list[Problem] = []
    try:
        read_items(config.files, config.limit)
    except ConfigError as error:
        found += error.problems
    if config.completions:
        try:
            read_recorded(Path(config.completions).expanduser())
        except ConfigError as error:
            found += error.problems
    elif config.prompt == "template" and not inspection.problems(model):
        found += _template_problems(model)
    return found


def _template_problems(model: Path) -> list[Problem]:
    try:
        template = ChatTemplate.of(model)
        way = template and way_of(template)
    except TemplateRefusalError as error:
        return [Problem(f"{model}: {error}", "correct its chat_template.jinja")]
    if way:
        return []
    what = f"the chat template of {model} writes no tools, or calls in a way that cannot be read"
    return [Problem(what, "try eval.tools.prompt=text", fields=("eval.tools.prompt",))]
