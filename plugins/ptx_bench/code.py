"""Code in the definitions of tasks: found before anything runs, and kept from running unless it is allowed.

A task folder is data that others wrote. Three things in it would run Python: a value such as
``!function module.name`` (a file beside the YAML, or any module), a metric that ``evaluate.load`` reads from
a script, and the prompts of a package that ``use_prompt`` names. Templates cannot: they are rendered in a
bounded sandbox (:mod:`ptx.guard.templates`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, UndefinedError

from ptx import Problem, StepError
from ptx.guard import patterns
from ptx.guard.reading import parse_json, reason, regular
from ptx_bench import Bench
from ptx_bench.definitions import FUNCTION, Definition, Tagged

TEMPLATES = ("doc_to_text", "doc_to_target", "doc_to_choice", "doc_to_decontamination_query", "description")
MARKS = re.compile(r"\{[{%#]")
FUNCTIONS = "_import_func_in_yml"  # of lm-eval: gives the function that a tag names
ALLOW = "eval.bench.allow_code=true"


def lines_of_code(defined: Sequence[Definition]) -> list[str]:
    """``FILE: KEY: !function module.name`` for everything in the tasks that would run Python."""
    return list(dict.fromkeys(f"{one.file}: {line}" for one in defined for line in _lines(one)))


def _lines(task: Definition) -> Iterator[str]:
    yield from (f"{key}: {FUNCTION} {value}" for key, value in task.tagged if value.tag == FUNCTION)
    for entry in task.metrics:
        if entry.get("hf_evaluate") and not isinstance(entry.get("metric"), Tagged):
            yield f"metric_list: {entry.get('metric')}, which evaluate.load runs as a script,"
    if task.config.get("use_prompt"):
        yield f"use_prompt: {task.config['use_prompt']}"


def problems(config: Bench, defined: Sequence[Definition]) -> list[Problem]:
    """The problem of each task that would run Python, and of each tag that lm-eval does not know."""
    tags = {(one.file, value.tag) for one in defined for _, value in one.tagged if value.tag != FUNCTION}
    found = [
        Problem(f"{file}: lm-eval knows no tag {tag}", f"it knows {FUNCTION}") for file, tag in sorted(tags)
    ]
    if not config.allow_code:
        fix = f"read that code, and if you trust it type {ALLOW}"
        found += [
            Problem(f"{line} would run Python of a task folder", fix) for line in lines_of_code(defined)
        ]
    return found


def template_problems(defined: Sequence[Definition]) -> list[Problem]:
    """The problem of each template that does not parse, or that fails on the first item on disk.

    A name that the item does not have may come from ``process_docs``, so that is no problem yet.
    """
    from ptx.guard.templates import BoundedSandbox

    found, sandbox = [], BoundedSandbox(undefined=StrictUndefined)
    sandbox.filters["regex_replace"] = regex_replace
    for one in defined:
        item = first_item(one)
        for field in TEMPLATES:
            text = one.config.get(field)
            if not isinstance(text, str) or isinstance(text, Tagged) or not MARKS.search(text):
                continue
            try:
                template = sandbox.from_string(text)
                if item is not None:
                    template.render(**item)
            except UndefinedError:
                continue
            except Exception as error:  # noqa: BLE001 (a template can raise anything)
                found.append(
                    Problem(f"{one.file}: the template {field} fails: {reason(error)}", "correct it")
                )
    return found


def regex_replace(text: str, pattern: str, replacement: str, count: int = 0) -> str:
    """lm-eval's filter of that name."""
    return patterns.sub(pattern, replacement, text, count=count)


def first_item(task: Definition) -> dict[str, Any] | None:
    """The first item of a task whose items are JSON lines on disk; None where they are not."""
    for file in task.data_files:
        try:
            with regular(file).open(encoding="utf-8") as lines:
                item = parse_json(lines.readline(10**7), file)
        except (OSError, ValueError):
            continue
        if isinstance(item, dict):
            return {str(name): value for name, value in item.items()}
    return None


@contextmanager
def kept_from_running(*, allow: bool) -> Iterator[None]:
    """lm-eval without the functions of task folders, unless they are allowed; its own tasks keep theirs.

    The plan has refused them by name; this holds for whatever it did not see.
    """
    from lm_eval import tasks, utils
    from lm_eval.tasks import _yaml_loader

    from ptx.guard.templates import bounded_like
    from ptx.lm.progress import replaced

    home, load = Path(tasks.__file__).parent, getattr(_yaml_loader, FUNCTIONS)

    def refusing(name: str, folder: Path) -> Any:
        if not allow and not Path(folder).resolve().is_relative_to(home):
            raise StepError(f"{folder}: !function {name} would run Python of a task folder; type {ALLOW}")
        return load(name, folder)

    with ExitStack() as stack:
        stack.enter_context(replaced(utils, "env", bounded_like(utils.env)))
        stack.enter_context(replaced(_yaml_loader, FUNCTIONS, refusing))
        yield
