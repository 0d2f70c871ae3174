"""A composed configuration as dataclasses, or everything that its classes refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ptx.compose.fields import OPEN_GROUPS
from ptx.compose.numbers import number_problems
from ptx.config import GROUPS, RunConfig
from ptx.errors import Problem, SettingError
from ptx.guard.reading import reason
from ptx.guard.secrets import without_secrets


def typed(node: DictConfig) -> tuple[RunConfig | None, list[Problem]]:
    """The configuration as dataclasses; where one part refuses, all are asked, and all refusals reported."""
    try:
        config = OmegaConf.to_object(node)
    except Exception as error:  # noqa: BLE001 (a plugin's class checks its values, and may raise anything)
        problems = [problem for where, part in _nodes(node) for problem in _refusals(where, part)]
        return None, problems or [unresolved(error)]
    assert isinstance(config, RunConfig)
    if problems := untyped(vars(config)) or number_problems(config):
        return None, problems
    return without_secrets(config), []


def unresolved(error: Exception) -> Problem:
    """What is wrong with a value that refers to another one, or to the environment, with its field."""
    what, _, fix = (str(error) or reason(error)).splitlines()[0].partition("; ")
    key = getattr(error, "full_key", None)
    return Problem(f"{key}: {what}" if key else what, fix)


def untyped(parts: Mapping[str, Any]) -> list[Problem]:
    """The problem of each value that a preset without a choice has left as it stands in its YAML."""
    fix = "the YAML of a preset must begin with defaults: [NAME], a choice of that group"
    values = {name: value for name, value in parts.items() if name in GROUPS}
    named = {
        f"{group}.{name}" if name else group: (group, one)
        for group, value in values.items()
        for name, one in (value.items() if group in OPEN_GROUPS else [("", value)])
    }
    return [
        Problem(f"{where} is set to {one!r:.60}, which is no choice", fix)
        for where, (group, one) in named.items()
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
