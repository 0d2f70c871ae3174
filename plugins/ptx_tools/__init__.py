"""``eval=[tools]``: are the right functions called, with the right arguments, and none where none fits?

The measure is that of the Berkeley Function-Calling Leaderboard (BFCL, Patil et al. 2025): calls are compared
as name and arguments, not as text, and an argument has a list of accepted values. It reads BFCL's files as
they are, and any file of function-calling rows that ``data=`` reads. The verdicts equal those of BFCL's
``ast_checker``, with its lapses: texts are compared without case, spaces and ``,./-_*^`` (so "1.5" equals
"15"), types are checked one level deep, and parallel calls are matched greedily. Two things are kept apart
that BFCL counts as wrong or right: a call that begins and cannot be read has a status of its own, and
irrelevance (no function fits, none is called) stands beside the accuracy, because a model that never calls
has all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ptx import Choice, Evaluator, Problem, RunConfig, hookimpl, must_be_at_least, must_be_one_of, setting

PROMPTS = ("auto", "template", "text")


@dataclass
class Tools(Evaluator):
    """Accuracy of function calls, of their names and arguments, and irrelevance."""

    filled_from_data: ClassVar[Mapping[str, str]] = {"files": "tools"}
    metrics: ClassVar[Mapping[str, str]] = {
        "tools/accuracy": "The fraction of items whose calls are all right and no more than right: BFCL's AST"
        " match, by category in the segments; higher is better.",
        "tools/accuracy/at_best": "The accuracy if every unreadable reply were right; higher is better.",
        "tools/accuracy/at_worst": "The accuracy if every unreadable reply were wrong, as BFCL counts; higher"
        " is better.",
        "tools/name_accuracy": "The fraction of items in which exactly the expected functions are called;"
        " higher is better.",
        "tools/argument_accuracy": "The fraction of arguments that are right, of an item's calls of expected"
        " functions; a missing and an unexpected one are wrong; higher is better.",
        "tools/irrelevance": "The fraction of items without a fitting function in which none is called;"
        " higher is better.",
        "tools/irrelevance/at_best": "Irrelevance if no unreadable reply were a call, as BFCL counts; higher"
        " is better.",
        "tools/irrelevance/at_worst": "Irrelevance if every unreadable reply were a call; higher is better.",
        "tools/relevance": "The fraction of items with a fitting function, and no known right call, in which"
        " some function is called (BFCL's live_relevance); higher is better.",
        "tools/relevance/at_best": "Relevance if every unreadable reply were a call; higher is better.",
        "tools/relevance/at_worst": "Relevance if no unreadable reply were a call; higher is better.",
        "tools/unparsed": "The fraction of replies that begin a call which cannot be read; lower is better.",
        "tools/unscored": "The fraction of items without a verdict: calls that cannot be read, and prompts"
        " that are longer than the context; lower is better.",
    }
    files: list[str] = setting(
        [],
        "files or folders: BFCL's (question, function; the answers in possible_answer/ beside), rows of"
        " prompt, tools and calls, or function-calling rows in any form that data= reads",
    )
    prompt: str = setting(
        "auto",
        "how the model is shown the tools: template (its chat template), text (in the system text), or auto:"
        " the template where it writes tools",
    )
    completions: str = setting(
        "", "file of recorded replies (id and result, as BFCL writes): these are judged and nothing is asked"
    )
    limit: int | None = setting(None, "only the first N items of each file")
    max_new_tokens: int = setting(256, "longest reply, in tokens")

    def __post_init__(self) -> None:
        must_be_one_of("eval.tools.prompt", self.prompt, PROMPTS, "auto")
        must_be_at_least("eval.tools.limit", self.limit, 1, 100)
        must_be_at_least("eval.tools.max_new_tokens", self.max_new_tokens, 1, 256)

    def inputs(self) -> list[Path]:
        """The files, the answers beside them, and the recorded replies."""
        from ptx_tools.items import files_behind

        recorded = [Path(self.completions).expanduser()] if self.completions else []
        return [path for path in (*files_behind(self.files), *recorded) if path.exists()]


@hookimpl
def ptx_choices() -> list[Choice]:
    """``eval=[tools]``."""
    help_ = "function calls: name and argument accuracy (BFCL's AST match), irrelevance"
    return [Choice("eval", "tools", Tools, help_, calls="ptx_tools.evaluate:evaluate")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path) -> list[Problem]:
    """Report files that cannot be read, and a template that shows the model no tools."""
    from ptx_tools.check import problems

    return [
        problem
        for evaluator in config.eval.values()
        if isinstance(evaluator, Tools)
        for problem in problems(evaluator, model)
    ]
