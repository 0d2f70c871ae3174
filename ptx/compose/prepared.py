"""A composed configuration as far as jobs with the same choices share it.

Hydra composes the choices; then the steps of a recipe are made, the default evaluators are added, and the
model's suggestions are found. All that follows from the choices and from a few of the typed fields, so the
jobs of a grid share it, and only the remaining fields are set for each job (:mod:`ptx.compose.parts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hydra import compose
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ptx.compose.default_evaluators import add_default_evaluators, is_switch
from ptx.compose.fields import NoSuchField, as_typed, set_field
from ptx.compose.overrides import RUNTIME
from ptx.compose.parts import Parts
from ptx.compose.presets import insert_presets, set_second_choice
from ptx.compose.recipe import expand
from ptx.compose.snapshot import Snapshot
from ptx.compose.typed import unresolved
from ptx.config import RunConfig
from ptx.errors import ConfigError, Problem
from ptx.hooks.host import Host

BASELINE_RUNTIME = "baseline_runtime"
Values = list[tuple[str, Any]]
Suggested = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Prepared:
    """What jobs share: the configuration, the model's suggestions for it, notes, and problems.

    With ``problems`` no further field is set; those ``beside`` are reported with those of the fields.
    """

    parts: Parts
    suggestions: Values = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    beside: list[Problem] = field(default_factory=list)

    def typed(self, values: Values) -> tuple[RunConfig | None, list[Problem]]:
        """The configuration with the fields of a job set, and the problems."""
        if not all(isinstance(problem, NoSuchField) for problem in self.problems):
            return None, self.problems
        later = [] if self.problems else [*self.suggestions, *(one for one in values if not _decides(*one))]
        config, found = self.parts.typed(later)
        return None if self.beside else config, [*self.problems, *self.beside, *found]


@dataclass
class Frozen:
    """What was composed and prepared so far.

    A search composes trial by trial, and edits of the YAML must not change its later trials.
    """

    composed: dict[tuple[str, ...], Snapshot] = field(default_factory=dict)
    prepared: dict[tuple[str, ...], Prepared] = field(default_factory=dict)

    def of(
        self,
        host: Host,
        words: tuple[str, ...],
        lists: dict[str, list[str]],
        values: Values,
        suggested: Suggested,
    ) -> Prepared:
        """The configuration of a verb and choices (``words``), prepared for jobs with these fields.

        Raises:
            ConfigError: a preset of ``lists`` has problems.
        """
        deciding = [(key, value) for key, value in values if _decides(key, value)]
        key = (*words, str(lists), repr(deciding), *(key for key, _ in values))
        if key not in self.prepared:
            node = self._composed(words, lists)
            self.prepared[key] = _prepare(host, node, deciding, [key for key, _ in values], suggested)
        return self.prepared[key]

    def _composed(self, words: tuple[str, ...], lists: dict[str, list[str]]) -> DictConfig:
        """The configuration that Hydra composes, with the presets of ``lists`` inserted."""
        key = (*words, str(lists))
        if key not in self.composed:
            node = compose(words[0], overrides=list(words[1:]))
            if problems := insert_presets(node, lists):
                raise ConfigError(problems)
            self.composed[key] = Snapshot(node)
        found: DictConfig = self.composed[key].copy()
        return found


def _decides(key: str, value: Any) -> bool:
    """Whether a typed field decides on the steps and evaluators, and not only on a field of them."""
    return key == BASELINE_RUNTIME or _is_early(key) or is_switch(key, value)


def _is_early(key: str) -> bool:
    """Whether it is a field of the recipe itself (rounds, ramp), which is set before its steps are made."""
    return key.startswith("recipe.") and not key.startswith("recipe.steps.")


def _prepare(
    host: Host, node: DictConfig, deciding: Values, keys: list[str], suggested: Suggested
) -> Prepared:
    """Make the steps, add the evaluators and find the suggestions; those for typed ``keys`` are not used."""
    early = [pair for pair in deciding if _is_early(pair[0])]
    problems = [problem for key, value in early for problem in set_field(node, key, value)]
    if node.recipe is not None:
        OmegaConf.set_struct(node, value=False)
        try:
            node.recipe, found, set_there = expand(host, node.recipe)
        except OmegaConfBaseException as error:  # a value of the user's YAML that cannot be resolved
            return Prepared(Parts(node), problems=[unresolved(error)])
        problems += found
        keys = keys + set_there
    notes: list[str] = []
    problems += add_default_evaluators(host, node, deciding, notes)
    if problems:
        return Prepared(Parts(node), notes=notes, problems=problems)
    suggestions = [(key, value) for key, value in _suggestions(host, node, suggested) if key not in keys]
    if suggestions:
        shown = " ".join(f"{key}={as_typed(value)}" for key, value in suggestions)
        notes.append(f"suggested by the model: {shown}")
    named = [value for key, value in deciding if key == BASELINE_RUNTIME and value is not None]
    beside = [
        problem
        for name in named
        for problem in set_second_choice(host, node, BASELINE_RUNTIME, RUNTIME, str(name))
    ]
    return Prepared(Parts(node), suggestions, notes, beside=beside)


def _suggestions(host: Host, node: DictConfig, suggested: Suggested) -> Iterator[tuple[str, Any]]:
    """The fields that the model suggests for the methods of this run, under their dotted names."""
    if node.recipe is None:
        methods = {"method": (node.method, node.get("make"))} | {
            f"compress.{name}": (step, None) for name, step in (node.compress or {}).items()
        }
    else:
        steps, data = node.recipe.steps, node.recipe.data
        methods = {
            f"recipe.steps.{name}": (step, steps.get(data.get(name, ""))) for name, step in steps.items()
        }
    for where, (method, before) in methods.items():
        word = _word(host, method)
        fields = {**suggested.get(word, {}), **suggested.get(f"{_word(host, before)} {word}", {})}
        for key, value in fields.items():
            group, _, rest = key.partition(".")
            if group == "scorer" and rest.partition(".")[0] not in (node.get("scorer") or {}):
                continue  # the user has chosen others
            yield (f"{where}.{key.removeprefix('method.')}" if key.startswith("method.") else key), value


def _word(host: Host, part: Any) -> str:
    """The choice of a part as it is typed (``method=sft``); empty where there is none."""
    kind = None if part is None else OmegaConf.get_type(part)
    found = (choice for choice in host.choices.values() if kind is not None and choice.config_type is kind)
    return next((f"{choice.group}={choice.name}" for choice in found), "")
