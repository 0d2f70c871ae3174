"""The data that each step of a run reads, and the problems that can be found without loading weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ptx.config import Maker, RunConfig
from ptx.data import SHAPES, DataSet, Promised
from ptx.errors import ConfigError, Problem
from ptx.hooks.host import Host
from ptx.models.contradictions import notes
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
from ptx.plan.row_findings import of_rows, on_model
from ptx.plan.waivers import waiver_problems, without
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
        self.by_step: dict[str, DataSet | Promised] = {}
        self.notes: list[str] = []
        self._faulty = False
        self.problems = [*serving_problems(config, host)]
        if wrong := package_problems(config, model, host):
            self.problems += wrong
            return
        self.problems += waiver_problems(config.check.allow)
        self.problems += without(contradiction_problems(config, model), config.check.allow)
        self.notes += map(str, without(notes(model.path), config.check.allow))
        exported = [config.runtime] if model.kind != "package" else []
        for step in (*config.chain().values(), *exported):
            self.problems += environment_problems(step)
        self._makers: dict[
            str, Promised | None
        ] = {}  # the earlier steps that make data; None: with a problem
        for name, step in config.chain().items():
            fed = self._feed(name, step, data) if step.needs else None
            if isinstance(step, Maker):
                self._makers[name] = None if step.needs and fed is None else self._made(name, step, fed)
        self.problems += scorer_problems(config)
        # rows with faults are told already, and plugins may rely on sound ones
        self._ask_plugins(model, None if self._faulty else data, further)

    def _feed(self, name: str, step: Any, data: DataSet | None) -> DataSet | Promised | None:
        """Assign the data to a step, and check the rows that it will read; None when there is a problem."""
        choice = self.host.choice_of(step)
        who = f"{choice.group}={choice.name}"
        if (source := self.config.data_of(name)) in self._makers:
            made = self._makers[source]
            return None if made is None else self._promise(name, step, made, who)
        if data is None:
            what = f"{who} needs data ({' or '.join(step.needs)})"
            self.problems.append(Problem(what, "give data=tiny, data=./my.jsonl or a folder"))
            return None
        try:
            fed = self.by_step[name] = self._only(name, data)
        except ConfigError as error:
            self.problems += error.problems
            return None
        before = len(self.problems)
        for needs in (step.needs, *reads_of(step)):
            self._check(fed, needs, who, step if choice.group == "method" else None)
        return fed if len(self.problems) == before else None

    def _promise(self, name: str, step: Any, made: Promised, who: str) -> Promised | None:
        """Assign what an earlier step makes; its rows are checked when they are there."""
        try:
            shapes = [made.require(needs, who) for needs in (step.needs, *reads_of(step))]
        except ConfigError as error:
            self.problems += error.problems
            return None
        self.by_step[name] = made
        self.notes.append(f"{who} learns from the {' and '.join(shapes)} that the step {made.name} makes")
        return made

    def _made(self, name: str, maker: Maker, fed: DataSet | Promised | None) -> Promised | None:
        """What a maker will make, for the steps behind it."""
        try:
            gives = maker.gives("" if fed is None else fed.require(maker.needs, name))
        except ConfigError as error:
            self.problems += error.problems
            return None
        if gives and set(gives) <= set(SHAPES):
            return Promised(name, tuple(gives))
        what = f"make={self.host.choice_of(maker).name} gives {', '.join(gives) or 'no shape'}"
        self.problems.append(Problem(what, f"gives() of its plugin must name shapes: {', '.join(SHAPES)}"))
        return None

    def _only(self, name: str, data: DataSet) -> DataSet:
        """The data in the shape that a recipe names for its step (safety rows for safety training), else
        all.
        """
        wanted, chain = self.config.data_of(name), self.config.chain()
        if wanted in chain and wanted not in data.sources:
            kind = "stands behind it" if isinstance(chain[wanted], Maker) else "makes a model, not data"
            what = f"recipe.steps.{name} learns from the step {wanted}, which {kind}"
            raise ConfigError(Problem(what, "name a step before it that has make: in the recipe"))
        return data.only(wanted, f"recipe.steps.{name}") if wanted else data

    def _check(self, data: DataSet, needs: Sequence[str], who: str, method: Any) -> None:
        """Add the problems of the data: none of the shapes is there, or its rows have faults.

        ``method`` is the step where it trains on the rows.
        """
        try:
            shape = data.require(needs, who, fits=self._methods_by_shape())
        except ConfigError as error:
            self.problems += error.problems
            return
        allow = self.config.check.allow
        found, warnings = of_rows(data, shape, self.config.eval if method else {})
        found = without(found, allow)
        if method is not None and not found and self.model.kind != "package":
            (_, further), measured = on_model(data, shape, self.model.path, method)
            warnings = [*warnings, *further]  # what the template refuses is said by the method's plugin
            found = without(measured.problems, allow)
        self.problems += found
        self._faulty |= bool(found)
        self.notes += [f"{data.name}: {warning}" for warning in without(warnings, allow)]
        self.notes.append(data.describe(shape))

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
            for asked, rows in self._apart(name, part, data):
                for found in self.host.hook.ptx_validate(
                    config=asked, model=model.path, data=rows, models=existing
                ):
                    waived = without(found, self.config.check.allow)
                    self.problems += [problem.at(place) for problem in waived]

    def _apart(
        self, name: str, part: RunConfig, data: DataSet | None
    ) -> list[tuple[RunConfig, DataSet | None]]:
        """The configuration of a method with the data that it reads.

        Of a method that learns from what a step makes nothing is known yet, so it is asked about without
        data, and apart from the compressors.
        """
        if not isinstance(self.by_step.get(name), Promised):
            return [(part, data)]
        others = [(replace(part, method=None), data)] if part.compress else []
        return [(replace(part, compress={}), None), *others]
