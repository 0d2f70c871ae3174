"""Find the tasks of a configuration and check them, from their YAML files, without importing lm-eval.

Only names that are not files need lm-eval's own index of some ten thousand tasks, which takes ten seconds to
build.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

from ptx import Problem, did_you_mean
from ptx.models.inspection import chat_template
from ptx_bench import Bench

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


@dataclass(frozen=True)
class Definition:
    """A YAML file that defines a task or a group."""

    file: Path
    config: dict[str, Any]

    @property
    def name(self) -> str:
        """The name in lm-eval."""
        return str(self.config.get("group") or self.config.get("task"))

    @property
    def is_group(self) -> bool:
        """Whether it is a group of tasks."""
        return "group" in self.config

    @property
    def wants_template(self) -> bool:
        """Whether its metadata asks for the chat template."""
        return bool((self.config.get("metadata") or {}).get("apply_chat_template"))

    @property
    def data_files(self) -> list[Path]:
        """Local files that its items are read from.

        Relative paths start at the working folder, as in lm-eval.
        """
        given = (self.config.get("dataset_kwargs") or {}).get("data_files") or []
        groups = given.values() if isinstance(given, dict) else [given]
        names = [name for group in groups for name in ([group] if isinstance(group, str) else group)]
        return [Path(name) for name in names if "://" not in name and "*" not in name]


def split(entries: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Separate entries into paths and names of lm-eval's tasks."""
    paths = [
        entry
        for entry in entries
        if Path(entry).exists() or "/" in entry or entry.endswith((".yaml", ".yml"))
    ]
    return [Path(entry) for entry in paths], [entry for entry in entries if entry not in paths]


def yaml_files(path: Path) -> list[Path]:
    """The YAML files that a path stands for, in lm-eval's order."""
    return sorted(path.glob("**/*.yaml"), key=Path.as_posix) if path.is_dir() else [path]


def definitions(path: Path) -> list[Definition]:
    """The tasks and groups that a path defines; files that others only include are left out.

    Raises:
        ValueError: a file does not parse; the text names file and line.
    """
    read = [(file, read_yaml(file)) for file in yaml_files(path)]
    return [Definition(file, config) for file, config in read if "task" in config or "group" in config]


def read_yaml(file: Path) -> dict[str, Any]:
    """Read a YAML file and the files that it includes; ``!function`` values are kept as text."""
    try:
        # derived from SafeLoader
        config = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ValueError(
            f"{file}{f':{mark.line + 1}' if mark else ''} is not YAML:"
            f" {getattr(error, 'problem', None) or error}"
        ) from error
    if not isinstance(config, dict):
        # callers handle one kind
        raise ValueError(f"{file} holds a {type(config).__name__}, not a task definition")  # noqa: TRY004
    included = config.pop("include", [])
    base: dict[str, Any] = {}
    for name in [included] if isinstance(included, str) else included:
        base |= read_yaml(file.parent / name)
    return {**base, **config}


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # as above
    """Reads ``!function module.name`` as text."""


_Loader.add_multi_constructor("!", lambda _loader, _suffix, node: str(node.value))


def files_behind(entries: Sequence[str]) -> list[Path]:
    """Everything on disk that decides what the tasks ask: folders, YAML files, and files of items."""
    paths = [path for path in split(entries)[0] if path.exists()]
    data = [
        file
        for path in paths
        for definition in definitions(path)
        for file in definition.data_files
        if file.is_file()
    ]
    outside = [
        file
        for file in data
        if not any(path.is_dir() and file.resolve().is_relative_to(path.resolve()) for path in paths)
    ]
    return [*paths, *sorted(set(outside))]


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
        except ValueError as error:
            found.append(Problem(str(error), HOW))
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
    for entry in definition.config.get("metric_list") or []:
        name = str(entry.get("metric", ""))
        if name not in METRICS and "." not in name and not entry.get("hf_evaluate"):
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
