"""Load the tasks and run them through lm-eval's evaluator."""

from __future__ import annotations

import functools
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import datasets
import numpy as np
import torch
from jinja2 import TemplateError
from lm_eval import utils

from ptx import Evaluation, LanguageModel, Run, StepError
from ptx.guard.patterns import SlowPatternError
from ptx.guard.reading import reason
from ptx.lm.progress import Pace, replaced, reported_bars
from ptx_bench import Bench
from ptx_bench.adapter import RuntimeLM
from ptx_bench.code import kept_from_running, lines_of_code
from ptx_bench.cuts import cut_lines, cut_shares
from ptx_bench.definitions import definitions, split
from ptx_bench.filters import bounded, placed
from ptx_bench.scores import Results, measured, rows
from ptx_bench.tasks import default_manager

# lm-eval's own defaults (lm_eval.defaults), so that a direct run draws the same few-shot examples
SEED, OTHER_SEED = 0, 1234
MOST_NAMED = 8  # up to this many tasks are listed by name in a message


def evaluate(run: Run, config: Bench, lm: LanguageModel | None) -> Evaluation:
    """Run the tasks of ``config`` on ``lm``, their templates in a sandbox, and announce code that runs."""
    assert lm is not None  # Bench.opens_model
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    datasets.disable_progress_bars()
    if config.allow_code:
        for line in lines_of_code([one for path in split(config.tasks)[0] for one in definitions(path)]):
            run.say(f"runs code of a task folder: {line}")
    try:
        with kept_from_running(allow=config.allow_code), bounded():
            return _evaluated(run, config, lm)
    except TemplateError as error:
        raise StepError(f"a template of {', '.join(config.tasks)} fails: {reason(error)}") from error


def _evaluated(run: Run, config: Bench, lm: LanguageModel) -> Evaluation:
    found = load(config.tasks)
    prepare(found["tasks"], config)
    model = harness_model(lm, config.batch_size, Pace(run))
    if refused := getattr(lm, "prefix_refused", ""):
        run.say(f"the prefix cache is off, every request is read whole: {refused}")
    results = Results()
    with replaced(utils, "apply_template", rendered), naming(config, found["tasks"]):
        for template in (False, True):
            part = {
                name: task
                for name, task in found["tasks"].items()
                if wants_template(task, config) is template
            }
            if part:
                run.say(announced(list(part), template=template))
                results.add(
                    part, harness_run(run, model, part, groups_within(found, part), config, template=template)
                )
        cut = model.cuts.by_task(results.samples)
        for line in cut_lines(cut, lm.max_length):
            run.say(line)
        return Evaluation([*measured(results), *cut_shares(cut)], rows(results, model.shares, model.cuts))


@contextmanager
def naming(config: Bench, tasks: dict[str, Any]) -> Iterator[None]:
    """Name the task and the item of a pattern that does not end."""
    try:
        yield
    except SlowPatternError as slow:
        defined = [one for path in split(config.tasks)[0] for one in definitions(path)]
        raise placed(slow, tasks, defined) from None


def announced(tasks: Sequence[str], *, template: bool) -> str:
    """The message that names the tasks about to run."""
    names = ", ".join(tasks) if len(tasks) <= MOST_NAMED else f"{len(tasks)} tasks"
    return f"{names} (with the chat template)" if template else names


def rendered(template: str, doc: dict[str, Any]) -> str:
    """Render like lm-eval's ``apply_template``, but compile each template only once.

    lm-eval's own compiles a task's templates again for every document and every few-shot example.
    """
    return str(compiled(template).render(**doc))


@functools.cache
def compiled(template: str) -> Any:
    """A task's template, compiled and cached."""
    return utils.env.from_string(template)


def load(entries: Sequence[str]) -> dict[str, Any]:
    """Load lm-eval's task objects for folders, YAML files and names.

    Returns ``{"tasks": {name: Task}, "groups": {name: Group}}``.

    Raises:
        StepError: a task could not be loaded, such as one whose items must be downloaded first.
    """
    from lm_eval.tasks import TaskManager

    paths, names = split(entries)
    tasks: dict[str, Any] = {}
    groups: dict[str, Any] = {}
    for path in paths:
        folder = path if path.is_dir() else path.parent
        manager = TaskManager(include_path=str(folder), include_defaults=False)
        _merge(tasks, groups, manager, top_level(path), str(path))
    if names:
        _merge(tasks, groups, default_manager(), names, ", ".join(names))
    return {"tasks": tasks, "groups": groups}


def top_level(path: Any) -> list[str]:
    """Names of a path's groups, and of its tasks that belong to no group."""
    found = definitions(path)
    members = {
        str(member)
        for one in found
        if one.is_group
        for member in one.config.get("task", [])
        if isinstance(member, str)
    }
    return [one.name for one in found if one.name not in members]


def _merge(tasks: dict[str, Any], groups: dict[str, Any], manager: Any, names: list[str], where: str) -> None:
    try:
        loaded = manager.load(names)
    except (OSError, KeyError, ValueError) as error:
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise StepError(
            f"lm-eval could not load the tasks of {where}: {text}; with no network the items must lie on disk"
        ) from error
    twice = sorted(set(tasks) & set(loaded["tasks"]))
    if twice:
        raise StepError(f"task {twice[0]} is given twice; remove one from eval.bench.tasks")
    tasks |= loaded["tasks"]
    groups |= loaded.get("groups", {})


def prepare(tasks: dict[str, Any], config: Bench) -> None:
    """Set the tasks' few-shot settings as lm-eval's ``simple_evaluate`` does."""
    for task in tasks.values():
        given = task.get_config("num_fewshot")
        if given is None:
            task.set_config(key="num_fewshot", value=config.num_fewshot or 0)
        elif given != 0 and config.num_fewshot is not None:
            task.set_config(key="num_fewshot", value=config.num_fewshot)
        task.set_fewshot_seed(seed=OTHER_SEED)


def wants_template(task: Any, config: Bench) -> bool:
    """Whether a task's prompts go through the chat template."""
    if config.chat_template != "auto":
        return config.chat_template == "true"
    return bool((task.config.metadata or {}).get("apply_chat_template"))


def groups_within(found: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """The groups whose tasks are all in ``part``; a group that is split over two runs has no score."""
    return {
        name: group
        for name, group in found["groups"].items()
        if all(task.task_name in part for task in group.get_all_tasks())
    }


def harness_model(lm: LanguageModel, batch_size: int, pace: Pace) -> Any:
    """lm-eval's own wrapper for a transformers model, :class:`RuntimeLM` for any other runtime.

    lm-eval's wrapper gives its numbers to the last digit.
    """
    served = RuntimeLM(lm, batch_size, pace)
    if not isinstance(getattr(lm, "model", None), torch.nn.Module):
        return served
    from ptx_bench.harness import ContinuationLM

    served.chunk = batch_size
    shares = bool(getattr(lm, "prefix_cache", False))
    return ContinuationLM(served, batch_size=batch_size, prefix_cache=shares)


def harness_run(
    run: Run, model: Any, tasks: dict[str, Any], groups: dict[str, Any], config: Bench, *, template: bool
) -> dict[str, Any]:
    """Call lm-eval's evaluator once and show its progress bars as the run's progress.

    lm-eval's cache is never used, because its key does not name the model.
    """
    from lm_eval import evaluator
    from lm_eval.api import model as api_model
    from lm_eval.api import task as api_task
    from lm_eval.models import huggingface

    random.seed(SEED)
    np.random.seed(OTHER_SEED)  # noqa: NPY002 (lm-eval draws from the global generator)
    torch.manual_seed(OTHER_SEED)
    with reported_bars(requests_done(run), api_model, api_task, huggingface):
        results = evaluator.evaluate(
            lm=model,
            task_dict={"tasks": tasks, "groups": groups},
            limit=config.limit,
            bootstrap_iters=0,
            log_samples=True,
            apply_chat_template=template,
            fewshot_as_multiturn=True,
        )
    return dict(results)


def requests_done(run: Run) -> Callable[[str, int, int | None], None]:
    """A callback that reports lm-eval's bars over requests; bars over prompt building are too short."""
    pace = Pace(run)

    def report(label: str, done: int, total: int | None) -> None:
        if label.startswith("Running") and total:
            pace.log({"requests": float(done)}, done, total)

    return report
