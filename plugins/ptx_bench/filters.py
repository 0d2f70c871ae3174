"""The regular expressions of tasks: lm-eval's filters, options of metrics, ``regex_replace`` in templates.

They are checked before the run. While it runs, lm-eval searches through :mod:`ptx.guard.patterns`, which ends
a search that takes for ever; the error names the task's file and the item whose reply was searched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from ptx import Problem
from ptx.guard import patterns
from ptx.guard.patterns import SlowPatternError
from ptx.guard.reading import FileError
from ptx_bench.definitions import Definition

EXAMPLE = r"'#### (-?[0-9.,]+)'"


def problems(defined: Sequence[Definition]) -> list[Problem]:
    """The problem of each pattern of the tasks that is no regular expression."""
    found: list[Problem] = []
    for one in defined:
        for where, pattern in patterns_of(one):
            try:
                patterns.of_user(pattern, f"{one.file}: {where}", EXAMPLE)
            except (FileError, SlowPatternError) as error:
                found += error.problems
    return found


def patterns_of(task: Definition) -> Iterator[tuple[str, Any]]:
    """(where it stands, pattern) of every regular expression in the filters and metrics of a task."""
    pipelines = [one for one in task.config.get("filter_list") or [] if isinstance(one, dict)]
    filters = [step for one in pipelines for step in one.get("filter") or [] if isinstance(step, dict)]
    for step in filters:
        if "regex_pattern" in step:
            yield f"filter {step.get('function')}: regex_pattern", step["regex_pattern"]
    for entry in [*filters, *task.metrics]:
        ignored = entry.get("regexes_to_ignore") or []
        for pattern in ignored if isinstance(ignored, list) else [ignored]:
            yield f"{entry.get('function') or entry.get('metric')}: regexes_to_ignore", pattern


@contextmanager
def bounded() -> Iterator[None]:
    """lm-eval with a limit on the time of every search for a pattern."""
    from lm_eval import utils
    from lm_eval.api import metrics
    from lm_eval.filters import extraction

    from ptx.lm.progress import replaced

    with ExitStack() as stack:
        for module in (extraction, metrics, utils):
            stack.enter_context(replaced(module, "re", patterns))
        yield


def placed(
    slow: SlowPatternError, tasks: Mapping[str, Any], defined: Sequence[Definition]
) -> SlowPatternError:
    """The error with the file of the pattern, and the item whose reply it was searched in."""
    files = [str(one.file) for one in defined if slow.pattern in [what for _, what in patterns_of(one)]]
    items = [
        f"the reply to item {instance.doc_id} of {name}"
        for name, task in tasks.items()
        for instance in task.instances
        if slow.text in [text for text in instance.resps if isinstance(text, str)]
    ]
    return slow.at(", ".join([*files[:1], *items[:1]]) or ", ".join(tasks))
