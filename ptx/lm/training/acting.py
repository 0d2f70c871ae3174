"""What is wrong with a model for an environment, before it is loaded. It imports no ML library."""

from __future__ import annotations

from pathlib import Path

from ptx.config import Method
from ptx.errors import Problem
from ptx.models import inspection
from ptx.models.calls import PROBE, PROBE_TOOL, PROBE_TURN, way_of
from ptx.models.chat import ChatTemplate, TemplateRefusalError, Turn
from ptx.models.marks import training_source

FIX = "take a model that was trained for tools, or give it a chat template that writes them"
TOLD = {"role": "tool", "name": PROBE.name, "content": "what the tool has said"}


def environment_problems(method: Method, model: Path) -> list[Problem]:
    """A chat template that shows no tools, writes no results, or writes earlier turns anew."""
    if method.environment is None or not method.acts or inspection.problems(model):
        return []
    try:
        template = ChatTemplate.of(model)
        fault = f"{model} has no chat template" if template is None else _fault(template)
    except TemplateRefusalError as error:
        fault = str(error)
    return (
        [Problem(f"environment= needs tools in the chat template of {model}: {fault}", FIX)] if fault else []
    )


def _fault(template: ChatTemplate) -> str:
    if way_of(template) is None:
        return "it writes no tools, or calls in a way that cannot be read"
    turns: list[Turn] = [{"role": "user", "content": "Hello"}, PROBE_TURN]
    before = template.fit(turns, [PROBE_TOOL])
    after = template.fit([*turns, TOLD], [PROBE_TOOL], ask=True)
    if any(loss.key == "content" for loss in after.lost):
        return "it does not write what a tool has said"
    known = all(training_source(source) != source for source in template.sources.values())
    if not after.rendered.text.startswith(before.rendered.text.rstrip()) and not known:
        return "it writes earlier turns differently once a result follows"
    return ""
