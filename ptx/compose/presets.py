"""Presets: YAML that names a choice and sets some of its fields (``defaults: [gptq]``, ``bits: 3``).

A preset may stand wherever a choice may. Hydra itself composes the presets of a group with one value. The
elements of a list (``compress=[sparsegpt,gptq_w3]``) and the steps of a recipe are configured under names of
their own, where Hydra has no place for a preset. So each of these is composed separately, also by Hydra, and
inserted as a typed configuration. The record of a run holds this configuration and not the name of the
preset: the same fields are the same step.
"""

from __future__ import annotations

from typing import Any

from hydra import compose
from omegaconf import DictConfig, OmegaConf

from ptx.compose.fields import OPEN_GROUPS, set_field
from ptx.compose.groups import known
from ptx.errors import Problem, did_you_mean
from ptx.hooks.host import Host


def take_out_presets(host: Host, choices: dict[str, str]) -> dict[str, list[str]]:
    """Remove presets from the lists in ``choices``; returns the original lists of the affected groups."""
    lists: dict[str, list[str]] = {}
    for group in [group for group in OPEN_GROUPS if group in choices]:
        names = [name for name in choices[group].strip("[]").split(",") if name]
        plain = [name for name in names if (group, name) in host.choices]
        if plain != names:
            lists[group] = names
            choices[group] = f"[{','.join(plain)}]"
    return lists


def insert_presets(node: DictConfig, lists: dict[str, list[str]]) -> list[Problem]:
    """Insert presets into the lists of a composed configuration, in the order typed; returns the problems."""
    problems = []
    for group, names in lists.items():
        elements: dict[str, Any] = {}
        for name in names:
            there = name in node[group]
            elements[name], found = (node[group][name], []) if there else compose_preset(group, name)
            problems += found
        OmegaConf.update(node, group, OmegaConf.create({}), merge=False)
        for name in names:
            OmegaConf.update(node, f"{group}.{name}", elements[name], force_add=True)
    return problems


def compose_preset(group: str, name: str) -> tuple[DictConfig | None, list[Problem]]:
    """The typed configuration of a preset, and its problems. Hydra must be open."""
    composed = compose(overrides=[f"+{group}@preset={name}"])
    base = composed.get(group)
    if base is not None and group in OPEN_GROUPS:
        base = next(iter(base.values()), None)
    if base is None:
        return None, [
            Problem(
                f"{group}={name} is a preset of no choice",
                f"its YAML must begin with defaults: [NAME], a choice of {group}",
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


def choice_or_preset(host: Host, group: str, name: str) -> tuple[DictConfig | None, list[Problem]]:
    """The configuration of a choice or preset, and its problems; (None, []) where there is neither."""
    choice = host.choices.get((group, name))
    if choice is not None:
        return OmegaConf.structured(choice.config_type), []
    return compose_preset(group, name) if name in known(group) else (None, [])


def set_second_choice(host: Host, node: DictConfig, key: str, group: str, name: str) -> list[Problem]:
    """Set the field ``key`` to a second choice of ``group``, in addition to the run's own."""
    chosen, problems = choice_or_preset(host, group, name)
    if chosen is None and not problems:
        return [Problem(f"{key}={name}: no {group} {name!r}", did_you_mean(name, known(group)))]
    node[key] = chosen
    return problems
