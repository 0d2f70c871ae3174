"""Check the tasks of a configuration, from their YAML files, without importing lm-eval.

Only names that are not files need lm-eval's own index of some ten thousand tasks, which takes ten seconds to
build.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ptx import Problem, did_you_mean
from ptx.guard.reading import FileError, reason
from ptx.models.inspection import chat_template
from ptx_bench import Bench, code, filters
from ptx_bench.definitions import Definition, Tagged, definitions, split

#: metrics that lm-eval computes itself; it looks up any other name on the network, and gives no score if it
#: finds nothing there
METRICS = [
    "acc",
    "acc_all",
    "acc_bytes",
    "acc_mutual_info",
    "acc_norm",
    "bits_per_byte",
    "bleu",
    "brier_score",
    "bypass",
    "byte_perplexity",
    "chrf",
    "chrf++",
    "exact_match",
    "f1",
    "likelihood",
    "mcc",
    "perplexity",
    "ter",
    "word_perplexity",
]
HOW = "give a folder of lm-eval YAML tasks, a .yaml file, or a name that lm-eval knows, such as arc_easy"


def problems(config: Bench, model: Path) -> list[Problem]:
    """All problems of the tasks of ``config`` with ``model``."""
    paths, names = split(config.tasks)
    if not config.tasks:
        return [
            Problem(
                "eval.bench.tasks is empty and no tasks come with the data",
                HOW.replace("give", "set eval.bench.tasks=[...]:", 1),
            )
        ]
    found: list[Problem] = []
    defined: list[Definition] = []
    for path in paths:
        try:
            defined += _defined(path)
        except FileError as error:
            found += [Problem(problem.what, problem.fix or HOW) for problem in error.problems]
        except (OSError, ValueError) as error:
            found.append(Problem(str(error) if isinstance(error, ValueError) else reason(error), HOW))
    found += [*code.problems(config, defined), *code.template_problems(defined), *filters.problems(defined)]
    found += [
        problem
        for definition in defined
        for problem in (*_data_problems(definition), *_metric_problems(definition))
    ]
    found += _name_problems(names)
    return [*found, *_template_problems(config, defined, model)]


def _defined(path: Path) -> list[Definition]:
    if not path.exists():
        raise ValueError(f"eval.bench.tasks: there is no {path}")
    found = definitions(path)
    if not found:
        raise ValueError(f"eval.bench.tasks: {path} defines no task (a YAML file with a task: line)")
    return found


def _data_problems(definition: Definition) -> Iterator[Problem]:
    for file in definition.data_files:
        if not file.is_file():
            beside = definition.file.parent / file
            fix = (
                f"write data_files: {beside.resolve()}"
                if beside.is_file()
                else "relative paths start at the working folder"
            )
            yield Problem(f"{definition.file}: task {definition.name} reads {file}, which is not there", fix)


def _metric_problems(definition: Definition) -> Iterator[Problem]:
    """Metrics that lm-eval would look up on the network.

    Functions (``!function file.name``) and metrics marked ``hf_evaluate`` are allowed.
    """
    for entry in definition.metrics:
        name = entry.get("metric", "")
        if name not in METRICS and not isinstance(name, Tagged) and not entry.get("hf_evaluate"):
            yield Problem(
                f"{definition.file}: lm-eval knows no metric {name!r} of task {definition.name}",
                did_you_mean(name, METRICS),
            )


def _name_problems(names: Sequence[str]) -> Iterable[Problem]:
    if not names:
        return []
    known = default_manager().all_tasks
    wrong = [name for name in names if name not in known]
    return [
        Problem(f"eval.bench.tasks: lm-eval knows no task {name!r}", _near(name, known)) for name in wrong
    ]


def _near(name: str, known: Sequence[str]) -> str:
    near = did_you_mean(name, known)
    return near if near.startswith("did") else HOW


def _template_problems(config: Bench, defined: Sequence[Definition], model: Path) -> list[Problem]:
    wanting = [definition.name for definition in defined if definition.wants_template]
    asked = config.chat_template == "true" or (config.chat_template == "auto" and wanting)
    if not asked or not (model / "config.json").is_file() or chat_template(model):
        return []
    who = f"the tasks {', '.join(wanting)} ask" if wanting else "eval.bench.chat_template=true asks"
    return [
        Problem(
            f"{who} for a chat template, and {model} has none",
            "try eval.bench.chat_template=false, or a chat model",
        )
    ]


@functools.cache
def default_manager() -> Any:
    """lm-eval's index of its own tasks, built once."""
    from lm_eval.tasks import TaskManager

    return TaskManager()
