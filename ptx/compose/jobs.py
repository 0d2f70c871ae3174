"""From words on the command line to typed, checked configurations.

Hydra composes the choices of the groups: plugin dataclasses from the ConfigStore, YAML presets from the
search path. Then the fields are set one by one on the typed result, so that every misspelt name and every
wrong type is found at once and named in full. A grid (``-m``) is composed job by job before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hydra import compose
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ptx.compose.default_data import add_default_data
from ptx.compose.default_evaluators import add_default_evaluators
from ptx.compose.fields import OPEN_GROUPS, NoSuchField, as_typed, set_field
from ptx.compose.former_names import present_word
from ptx.compose.groups import hydra, known
from ptx.compose.numbers import number_problems
from ptx.compose.overrides import RUNTIME, choices_and_values, grid, read
from ptx.compose.presets import insert_presets, set_second_choice, take_out_presets
from ptx.compose.recipe import expand
from ptx.compose.snapshot import Snapshot
from ptx.config import GROUPS, IN_METHOD, RunConfig
from ptx.errors import ConfigError, Problem, SettingError
from ptx.guard.reading import reason
from ptx.guard.secrets import without_secrets
from ptx.hooks.host import Host

BASELINE_RUNTIME = "baseline_runtime"
#: verb and choices -> the configuration that Hydra composes of them
Frozen = dict[tuple[str, ...], Snapshot]


@dataclass(frozen=True)
class Job:
    """One composed run: its configuration, and the overrides that it was composed from."""

    config: RunConfig
    overrides: list[str]
    varied: dict[str, str] = field(default_factory=dict)  # the overrides that vary over the sweep
    given: frozenset[str] = frozenset()  # keys that the user typed
    notes: tuple[str, ...] = ()  # sentences on what was set without having been typed


def compose_jobs(
    host: Host,
    verb: str,
    words: Sequence[str],
    *,
    multirun: bool = False,
    config_dir: str | None = None,
    frozen: Frozen | None = None,
) -> list[Job]:
    """Compose every job of a command.

    Jobs with the same choices share the configuration that Hydra composes. ``frozen`` keeps it over several
    calls: a search composes trial by trial, and edits of the YAML must not change its later trials.

    Raises:
        ConfigError: one error with every problem of every job.
    """
    composed: Frozen = {} if frozen is None else frozen
    overrides = read(host, words, multirun=multirun)
    given: set[str] = set()
    problems: list[Problem] = []
    jobs: list[Job] = []
    lacking: list[dict[str, Problem]] = []  # of each job: the typed fields that it does not have
    with hydra(host, config_dir):
        for typed in grid(overrides):
            answers = [(*present_word(host, line), swept) for line, swept in typed]
            row = [(line, swept) for line, _, swept in answers]
            given |= {line.partition("=")[0].lstrip("+") for line, _ in row}
            notes = [note for _, note, _ in answers if note]
            config, found = _compose_one(host, verb, [line for line, _ in row], composed, notes)
            lacking.append({problem.key: problem for problem in found if isinstance(problem, NoSuchField)})
            problems += found
            if config is not None:
                kept = [(line, swept) for line, swept in row if line.partition("=")[0] not in lacking[-1]]
                varied = {line.partition("=")[0]: line.partition("=")[2] for line, swept in kept if swept}
                jobs.append(Job(config, [line for line, _ in kept], varied, frozenset(given), tuple(notes)))
    if problems := _without_those_of_some(problems, lacking):
        raise ConfigError(_with_broken_plugins(host, problems))
    jobs[0] = replace(jobs[0], notes=(*jobs[0].notes, *_lacking_somewhere(lacking)))
    return jobs


def _without_those_of_some(problems: list[Problem], lacking: list[dict[str, Problem]]) -> list[Problem]:
    """The problems without those of fields that some job has: a field goes to the jobs that have it."""
    nowhere = {key: problem for key, problem in lacking[0].items() if all(key in one for one in lacking)}
    return [p for p in problems if not isinstance(p, NoSuchField) or p is nowhere.get(p.key)]


def _lacking_somewhere(lacking: list[dict[str, Problem]]) -> Iterator[str]:
    """A sentence for each typed field that only some of the jobs have."""
    for key in dict.fromkeys(key for one in lacking for key in one):
        having = sum(key not in one for one in lacking)
        yield f"{key} is set in {having} of {len(lacking)} runs: the others have no such field"


def _compose_one(
    host: Host, verb: str, lines: list[str], frozen: Frozen, notes: list[str]
) -> tuple[RunConfig | None, list[Problem]]:
    choices, values, problems = choices_and_values(lines)
    if choices.get("recipe", "null") != "null":
        problems += _instead_of_short_form(choices)
    choices.setdefault("scorer", f"[{','.join(host.names('scorer'))}]")
    add_default_data(host, choices, values, notes)
    choices = {group: value for group, value in choices.items() if value != "[]" or known(group)}
    if problems:
        return None, problems
    lists = take_out_presets(host, choices)
    try:
        node = _composed(
            verb,
            [f"~{group}" if value == "null" else f"{group}={value}" for group, value in choices.items()],
            lists,
            frozen,
        )
    except (HydraException, OmegaConfBaseException) as error:
        return None, [_not_composed(lines, error)]
    except ConfigError as error:
        return None, list(error.problems)
    except Exception as error:  # noqa: BLE001 (a preset of the user can fail anywhere in Hydra)
        return None, [Problem(f"cannot compose {' '.join(lines)}: {reason(error)}")]
    model = host.choices.get(("model", choices.get("model", "tiny")))
    problems = _apply(host, node, values, model.suggests if model else {}, notes)
    if not all(isinstance(problem, NoSuchField) for problem in problems):
        return None, problems
    config, refused = _typed(node)
    return config, problems + refused


def _not_composed(lines: list[str], error: Exception) -> Problem:
    """What Hydra says of a preset that names another one, without the list of the places it looked in."""
    text, _, places = " ".join(str(error).split()).partition(" Config search path:")
    text = text.rstrip(".")
    fix = "correct the defaults of that YAML, which lies in ./conf or in a plugin" if places else ""
    return Problem(f"cannot compose {' '.join(lines)}: {text}", fix)


def _unresolved(error: Exception) -> Problem:
    """What is wrong with a value that refers to another one, or to the environment, with its field."""
    what, _, fix = (str(error) or reason(error)).splitlines()[0].partition("; ")
    key = getattr(error, "full_key", None)
    return Problem(f"{key}: {what}" if key else what, fix)


def _composed(verb: str, overrides: list[str], lists: dict[str, list[str]], frozen: Frozen) -> DictConfig:
    """The configuration that Hydra composes, with the presets of ``lists`` inserted."""
    key = (verb, *overrides, str(lists))
    if key not in frozen:
        node = compose(verb, overrides=overrides)
        if problems := insert_presets(node, lists):
            raise ConfigError(problems)
        frozen[key] = Snapshot(node)
    return frozen[key].copy()


def _apply(
    host: Host,
    node: DictConfig,
    values: list[tuple[str, Any]],
    suggested: dict[str, dict[str, Any]],
    notes: list[str],
) -> list[Problem]:
    """Set the fields of a composed configuration; returns the problems.

    The fields of a recipe itself (rounds, ramp) are set before its steps are made. The model's suggestions
    are used for fields that were not typed.
    """
    early = [
        pair for pair in values if pair[0].startswith("recipe.") and not pair[0].startswith("recipe.steps.")
    ]
    problems = [problem for key, value in early for problem in set_field(node, key, value)]
    typed = [key for key, _ in values]
    if node.recipe is not None:
        OmegaConf.set_struct(node, value=False)
        try:
            node.recipe, found, set_there = expand(host, node.recipe)
        except OmegaConfBaseException as error:  # a value of the user's YAML that cannot be resolved
            return [_unresolved(error)]
        problems += found
        typed += set_there
    values, found = add_default_evaluators(host, node, values, notes)
    problems += found
    if problems:
        return problems
    suggestions = [(key, value) for key, value in _suggestions(host, node, suggested) if key not in typed]
    if suggestions:
        notes.append(
            f"suggested by the model: {' '.join(f'{key}={as_typed(value)}' for key, value in suggestions)}"
        )
    later = [pair for pair in values if pair not in early]
    named = [value for key, value in later if key == BASELINE_RUNTIME and value is not None]
    problems = [
        problem
        for name in named
        for problem in set_second_choice(host, node, BASELINE_RUNTIME, RUNTIME, str(name))
    ]
    later = [pair for pair in later if pair[0] != BASELINE_RUNTIME]
    return problems + [
        problem for key, value in [*suggestions, *later] for problem in set_field(node, key, value)
    ]


def _suggestions(
    host: Host, node: DictConfig, suggested: dict[str, dict[str, Any]]
) -> Iterator[tuple[str, Any]]:
    """The fields that the model suggests for the methods of this run, under their dotted names."""
    if node.recipe is None:
        methods = {"method": node.method} | {
            f"compress.{name}": step for name, step in (node.compress or {}).items()
        }
    else:
        methods = {f"recipe.steps.{name}": step for name, step in node.recipe.steps.items()}
    for where, method in methods.items():
        choice = next(
            (
                c
                for c in host.choices.values()
                if method is not None and c.config_type is OmegaConf.get_type(method)
            ),
            None,
        )
        for key, value in suggested.get(f"{choice.group}={choice.name}" if choice else "", {}).items():
            yield (f"{where}.{key.removeprefix('method.')}" if key.startswith("method.") else key), value


def _instead_of_short_form(choices: dict[str, str]) -> list[Problem]:
    """Remove the default method, since a recipe holds all steps; a method that was typed is a problem."""
    given = [
        group
        for group in ("make", "method", "compress", *IN_METHOD)
        if choices.get(group) not in (None, "null", "[]", "none")
    ]
    problems = [
        Problem(
            f"recipe={choices['recipe']} and {group}={choices[group]} are both given",
            "set a step's field with recipe.steps.NAME.FIELD=...",
        )
        for group in given
    ]
    choices |= {"method": "null", **dict.fromkeys(IN_METHOD, "none")}
    return problems


def _typed(node: DictConfig) -> tuple[RunConfig | None, list[Problem]]:
    """The configuration as dataclasses; where one part refuses, all are asked, and all refusals reported."""
    try:
        config = OmegaConf.to_object(node)
    except Exception as error:  # noqa: BLE001 (a plugin's class checks its values, and may raise anything)
        problems = [problem for where, part in _nodes(node) for problem in _refusals(where, part)]
        return None, problems or [_unresolved(error)]
    assert isinstance(config, RunConfig)
    if problems := _untyped(config):
        return None, problems
    if problems := number_problems(config):
        return None, problems
    return without_secrets(config), []


def _untyped(config: RunConfig) -> list[Problem]:
    """The problem of each value that a preset without a choice has left as it stands in its YAML."""
    fix = "the YAML of a preset must begin with defaults: [NAME], a choice of that group"
    values = {name: value for name, value in vars(config).items() if name in GROUPS}
    parts = {
        f"{group}.{name}" if name else group: (group, one)
        for group, value in values.items()
        for name, one in (value.items() if group in OPEN_GROUPS else [("", value)])
    }
    return [
        Problem(f"{where} is set to {one!r:.60}, which is no choice", fix)
        for where, (group, one) in parts.items()
        if one is not None and not isinstance(one, GROUPS[group][0])
    ]


def _nodes(node: DictConfig) -> Iterator[tuple[str, DictConfig]]:
    """The typed nodes below ``node``, each with its dotted name."""
    for name in node:
        part = node._get_node(name)  # noqa: SLF001 (the public getter resolves)
        # a field that holds None is a node too
        if not isinstance(part, DictConfig) or part._is_none():  # noqa: SLF001
            continue
        if name == "recipe":
            yield from ((f"recipe.steps.{step}", part.steps[step]) for step in part.steps)
        elif name in OPEN_GROUPS:
            yield from ((f"{name!s}.{key!s}", part[key]) for key in part)
        else:
            yield str(name), part


def _refusals(where: str, node: DictConfig) -> list[Problem]:
    """The problems that the dataclass of a node finds in its values.

    The fields are named as the user types them: those of a method in a recipe by the name of its step.
    """
    try:
        OmegaConf.to_object(node)
    except (ValueError, OmegaConfBaseException) as error:
        if isinstance(error, SettingError):
            return [error.problem.at(where)]
        what, _, fix = str(error).splitlines()[0].partition("; ")
        if "mandatory value" in what.lower():
            what = f"{where}.{getattr(error, 'key', '')} must be given"
        return [Problem(what, fix)]
    except Exception as error:  # noqa: BLE001 (as above)
        return [Problem(f"{where} cannot be used: {reason(error)}", "`ptx plugins NAME` explains its fields")]
    return []


def _with_broken_plugins(host: Host, problems: list[Problem]) -> list[Problem]:
    """The problems, with a note on broken plugins where a choice is unknown: it may belong to one of them."""
    unknown = any(problem.what.startswith("no ") for problem in problems)
    notes = (
        [
            Problem(f"plugin {plugin.name} ({plugin.origin}) is not loaded: {plugin.error}")
            for plugin in host.broken
        ]
        if unknown
        else []
    )
    return list(dict.fromkeys(problems)) + notes
