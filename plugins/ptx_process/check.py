"""What is wrong before a model is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ptx import Lora, Problem
from ptx.lm.evaluation.rows import read_rows, row_problems
from ptx.models import inspection
from ptx_process import ProcessEvaluation, ProcessReward

WHERE = "eval.process.steps"


def file_problems(config: ProcessEvaluation) -> list[Problem]:
    """Files that are missing, cannot be read or hold no steps."""
    return row_problems("steps", WHERE, config.steps, config.limit)


def solutions_of(config: ProcessEvaluation) -> list[dict[str, Any]]:
    """The rows of all files."""
    return read_rows("steps", WHERE, config.steps, config.limit)


def model_problems(method: ProcessReward, model: Path) -> list[Problem]:
    """A model without a chat template, and adapters that are not merged."""
    lora, found = method.lora, []
    if not inspection.problems(model) and not inspection.inspect(model).has_chat_template:
        what = f"{model} has no chat template, with which a process reward model reads prompts"
        found.append(Problem(what, "add one (chat_template.jinja), or start from a chat model"))
    if isinstance(lora, Lora) and (not lora.merge or lora.quantize):
        name = "quantize=true" if lora.quantize else "merge=false"
        what = f"method.lora.{name}: a process reward model is kept whole, with its head"
        found.append(Problem(what, "leave it out", fields=(f"method.lora.{name.partition('=')[0]}",)))
    return found
