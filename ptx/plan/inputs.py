"""The models and data of the jobs: each distinct value is resolved and opened once.

The problems of a value are also reported once, for the first job that has it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from ptx.config import RunConfig
from ptx.data import DataSet, open_data
from ptx.errors import ConfigError, Problem
from ptx.files import cache_folder
from ptx.guard.reading import understood
from ptx.hooks.host import Host
from ptx.machine import uncollected
from ptx.models.adapters import is_adapter, prepare
from ptx.models.contradictions import faults
from ptx.models.inspection import ModelFacts, inspect, problems
from ptx.models.language import language_problems
from ptx.models.package import read_package
from ptx.plan.model_inputs import Further, further_models, model_choice
from ptx.records import ModelRef


def open_choice(host: Host, value: Any) -> DataSet:
    """The data set of a ``data=`` choice, resolved and opened."""
    path = host.first("ptx_resolve", value=value, cache=cache_folder())
    fields = ("columns", "shape", "drop", "bad")
    extra = {name: getattr(value, name) for name in fields if getattr(value, name, None)}
    with uncollected():
        return open_data(host.name_of(value), path, limit=value.limit, **extra)


class Inputs:
    """Resolves models and data, and collects their ``problems``.

    ``resolved`` may be carried from one plan to the next: a search plans trial by trial, and all its trials
    must have the same models and data.
    """

    def __init__(self, host: Host, resolved: dict[str, Any] | None = None) -> None:
        self.host = host
        self.problems: list[Problem] = []
        self._resolved: dict[str, Any] = {} if resolved is None else resolved

    def model(self, value: Any) -> tuple[ModelRef, ModelFacts] | None:
        """The folder of a ``model=`` choice and its facts; None when it has a problem."""
        found: tuple[ModelRef, ModelFacts] | None = self._once(value, self._resolve_model)
        return found

    def data(self, value: Any) -> DataSet | None:
        """The opened data of a ``data=`` choice; None when there is none, or when it has a problem."""
        found: DataSet | None = self._once(value, lambda value: open_choice(self.host, value))
        return found

    def further(self, config: RunConfig, model: ModelRef) -> dict[str, Further]:
        """The models that the steps read in addition to their input, by step."""
        try:
            return further_models(self.host, config, model, lambda value: (self.model(value) or (None,))[0])
        except ConfigError as error:
            self.problems += error.problems
            return {}

    def _once(self, value: Any, resolve: Callable[[Any], Any]) -> Any:
        if value is None:
            return None
        key = f"{type(value).__name__}{dataclasses.asdict(value)}"
        if key not in self._resolved:
            try:
                with understood(self.host.name_of(value)):
                    self._resolved[key] = resolve(value)
            except ConfigError as error:
                self.problems += error.problems
                self._resolved[key] = None
        return self._resolved[key]

    def _base_named(self, name: str) -> Path:
        """The folder of an adapter's base that is named by an id of the hub."""
        path: Path = self.host.first(
            "ptx_resolve", value=model_choice(self.host, name, []), cache=cache_folder()
        )
        return path

    def _resolve_model(self, value: Any) -> tuple[ModelRef, ModelFacts]:
        path = self.host.first("ptx_resolve", value=value, cache=cache_folder())
        if is_adapter(path):
            path = prepare(path, cache_folder() / "adapters", self._base_named)
        if found := problems(path) or language_problems(path) or faults(path):
            raise ConfigError(found)
        kind: Literal["package", "adapter", "full"] = "full"
        if read_package(path):
            kind = "package"
        elif is_adapter(path):
            kind = "adapter"
        return ModelRef.of(path, kind), inspect(path)
