"""The data that each step of a run reads, and the problems that can be found without loading weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ptx.config import RunConfig
from ptx.data import DataSet, check
from ptx.errors import ConfigError, Problem
from ptx.hooks.host import Host
from ptx.plan.keys import reads_of
from ptx.plan.model_inputs import Further
from ptx.plan.preflight import (
    configs_by_method,
    contradiction_problems,
    environment_problems,
    package_problems,
    place_of,
    scorer_problems,
    serving_problems,
)
from ptx.plan.rendering import rendering
from ptx.records import ModelRef


class Feeds:
    """The data of each step that reads some (``by_step``), and the ``problems`` and ``notes`` of the run."""

    def __init__(
        self,
        host: Host,
        config: RunConfig,
        model: ModelRef,
        data: DataSet | None,
        further: dict[str, Further],
    ) -> None:
        self.host, self.config, self.model = host, config, model
        self.by_step: dict[str, DataSet] = {}
        self.notes: list[str] = []
        self._faulty = False
        self.problems = [*serving_problems(config, host)]
        if wrong := package_problems(config, model, host):
            self.problems += wrong
            return
        self.problems += contradiction_problems(config, model)
        exported = [config.runtime] if model.kind != "package" else []
        for step in (*config.chain().values(), *exported):
            self.problems += environment_problems(step)
        for name, step in config.chain().items():
            if step.needs:
                self._feed(name, step, data)
        self.problems += scorer_problems(config)
        # rows with faults are told already, and plugins may rely on sound ones
        self._ask_plugins(model, None if self._faulty else data, further)

    def _feed(self, name: str, step: Any, data: DataSet | None) -> None:
        """Assign the data to a step, and check the rows that it will read."""
        choice = self.host.choice_of(step)
        who = f"{choice.group}={choice.name}"
        if data is None:
            what = f"{who} needs data ({' or '.join(step.needs)})"
            self.problems.append(Problem(what, "give data=tiny, data=./my.jsonl or a folder"))
            return
        try:
            self.by_step[name] = self._only(name, data)
        except ConfigError as error:
            self.problems += error.problems
            return
        for needs in (step.needs, *reads_of(step)):
            self._check(self.by_step[name], needs, who, trained=choice.group == "method")

    def _only(self, name: str, data: DataSet) -> DataSet:
        """The data in the shape that a recipe names for its step (safety rows for safety training), else
        all.
        """
        wanted = self.config.recipe["data"].get(name) if self.config.recipe else None
        return data.only(wanted, f"recipe.steps.{name}") if wanted else data

    def _check(self, data: DataSet, needs: Sequence[str], who: str, *, trained: bool) -> None:
        """Add the problems of the data: none of the shapes is there, or its rows have faults."""
        try:
            shape = data.require(needs, who, fits=self._methods_by_shape())
        except ConfigError as error:
            self.problems += error.problems
            return
        found, warnings = check(data, shape)
        self.problems += found
        self._faulty |= bool(found)
        if trained and not found:
            warnings = [*warnings, *rendering(data, shape, self.model.path)[1]]
        self.notes += [f"{data.name}: {warning}" for warning in warnings] + [data.describe(shape)]

    def _methods_by_shape(self) -> dict[str, list[str]]:
        """Shape of data -> the methods that can train on it."""
        fits: dict[str, list[str]] = {}
        for (group, name), choice in self.host.choices.items():
            for shape in choice.config_type.needs if group == "method" else ():  # type: ignore[attr-defined]
                fits.setdefault(shape, []).append(f"method={name}")
        return fits

    def _ask_plugins(self, model: ModelRef, data: DataSet | None, further: dict[str, Further]) -> None:
        """Add the problems that plugins find (``ptx_validate``), asked once per training step."""
        for name, part in configs_by_method(self.config):
            read = further.get(name, {}).items()
            existing = {role: ref.path for role, ref in read if isinstance(ref, ModelRef)}
            place = place_of(name, self.config)
            for found in self.host.hook.ptx_validate(
                config=part, model=model.path, data=data, models=existing
            ):
                self.problems += [problem.at(place) for problem in found]
