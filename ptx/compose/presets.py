"""Presets: YAML that names a choice and sets fields of it (``defaults: [gptq]``, ``bits: 3``), usable
wherever a choice can be named.

Hydra by itself composes those of a group that takes one value. The elements of a list
(``compress=[sparsegpt,gptq_w3]``) are configured under their own names and a recipe's steps under theirs,
where Hydra has no place for a preset; so each is composed alone, by Hydra too, and put there as the typed
configuration that it comes to. A run's record holds that configuration and not the preset's name: the same
fields are the same step.
"""

from __future__ import annotations

from typing import Any

from hydra import compose
from omegaconf import DictConfig, OmegaConf

from ptx.compose.fields import OPEN_GROUPS, set_field
from ptx.compose.groups import known
from ptx.errors import Problem, did_you_mean
from ptx.hooks.host import Host


def apart(host: Host, choices: dict[str, str]) -> dict[str, list[str]]:
    """Take presets out of the lists of ``choices``; the lists that held some, as they were."""
    whole: dict[str, list[str]] = {}
    for group in [group for group in OPEN_GROUPS if group in choices]:
        names = [name for name in choices[group].strip("[]").split(",") if name]
        plain = [name for name in names if (group, name) in host.choices]
        if plain != names:
            whole[group] = names
            choices[group] = f"[{','.join(plain)}]"
    return whole


def put_back(node: DictConfig, whole: dict[str, list[str]]) -> list[Problem]:
    """Fill the lists of a composed configuration with presets, in the order that was typed; what is wrong
    with them.
    """
    problems = []
    for group, names in whole.items():
        made: dict[str, Any] = {}
        for name in names:
            made[name], found = (node[group][name], []) if name in node[group] else typed(group, name)
            problems += found
        OmegaConf.update(node, group, OmegaConf.create({}), merge=False)
        for name in names:
            OmegaConf.update(node, f"{group}.{name}", made[name], force_add=True)
    return problems


def typed(group: str, name: str) -> tuple[DictConfig | None, list[Problem]]:
    """The configuration that a preset comes to, and what is wrong with it. Hydra must be open."""
    composed = compose(overrides=[f"+{group}@preset={name}"])
    base = composed.get(group)
    if base is not None and group in OPEN_GROUPS:
        base = next(iter(base.values()), None)
    if base is None:
        return None, [
            Problem(
                f"{group}={name} is a preset of no choice",
                f"its YAML begins with defaults: [NAME], a choice of {group}",
            )
        ]
    node = OmegaConf.create({group: {name: base}})
    fields = composed.get("preset") or {}
    problems = [
        problem
        for field, value in fields.items()
        for problem in set_field(node, f"{group}.{name}.{field}", value)
    ]
    return node[group][name], problems


def any_of(host: Host, group: str, name: str) -> tuple[DictConfig | None, list[Problem]]:
    """The configuration of a choice or preset of a group; None without a problem where there is neither."""
    choice = host.choices.get((group, name))
    if choice is not None:
        return OmegaConf.structured(choice.config_type), []
    return typed(group, name) if name in known(group) else (None, [])


def set_beside(host: Host, node: DictConfig, key: str, group: str, name: str) -> list[Problem]:
    """Set the field ``key`` to a second choice of ``group``, beside the one that the run itself has."""
    chosen, problems = any_of(host, group, name)
    if chosen is None and not problems:
        return [Problem(f"{key}={name}: no {group} {name!r}", did_you_mean(name, known(group)))]
    node[key] = chosen
    return problems
