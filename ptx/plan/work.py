"""The steps and measurements of one run, each with its key; the input of a step is the step before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ptx import machine
from ptx.config import Compressor, Maker, Method, RunConfig
from ptx.data import DataSet, Promised
from ptx.hooks.host import Host
from ptx.plan.keys import Ingredients, source_of
from ptx.plan.model_inputs import Further
from ptx.plan.plan import Step, Work
from ptx.records import ModelRef
from ptx.store.store import Identity


def work_of(
    host: Host,
    config: RunConfig,
    model: ModelRef,
    feeds: Mapping[str, DataSet | Promised] | None = None,
    further: Mapping[str, Further] | None = None,
) -> Work:
    """The work of a run that starts from ``model``.

    Args:
        host: the plugins.
        config: the configuration of the run.
        model: the folder that the run starts from.
        feeds: the data of each step that reads some, by the name of the step.
        further: the models that steps read in addition to their input, by the name of the step.
    """
    ingredients = Ingredients(host, config, machine.resolve_device(config.device))
    is_package = model.kind == "package"
    exports = {"export": config.runtime} if config.runtime.exports and not is_package else {}
    artifact: dict[str, Any] = source_of(model)
    steps: dict[str, Step] = {}
    for name, step in (config.chain() | exports).items():
        fed, beside = (feeds or {}).get(name), (further or {}).get(name, {})
        if isinstance(fed, Promised):
            fed = dataclasses.replace(fed, name=steps[fed.name].name, key=steps[fed.name].key)
        found = ingredients.of_step(kind_of(step), step, name, artifact, fed)
        if beside:
            found["models"] = _named(beside, steps)
        steps[name] = Step(
            kind_of(step),
            name if config.recipe or name in config.compress else host.choice_of(step).name,
            step,
            fed,
            Identity("steps", found),
            _read(beside, steps),
        )
        if step.makes == "model":
            artifact = {"step": steps[name].key}
    exported = ingredients.baseline_runtime.exports and not is_package
    reference = ingredients.reference(model) if exported else None
    baseline = reference.key if reference else model.digest
    measures = []
    for name in config.eval:
        beside = (further or {}).get(f"eval.{name}", {})
        measure = ingredients.measure(name, artifact, baseline, _named(beside, steps))
        measures.append(dataclasses.replace(measure, models=_read(beside, steps)))
    return Work(tuple(steps.values()), tuple(measures), reference, ingredients.device)


def _named(beside: Further, steps: Mapping[str, Step]) -> dict[str, Any]:
    """The further models of a step as ingredients of its key."""
    return {
        role: {"step": steps[there].key} if isinstance(there, str) else source_of(there)
        for role, there in beside.items()
    }


def _read(beside: Further, steps: Mapping[str, Step]) -> dict[str, ModelRef | str]:
    """The further models of a step, those of earlier steps by the names of these."""
    return {role: steps[there].name if isinstance(there, str) else there for role, there in beside.items()}


def kind_of(step: Any) -> str:
    """The kind of a step: ``train``, ``compress``, ``make`` or ``export``.

    A compressor that trains has ``train``.
    """
    if isinstance(step, Method):
        return "train"
    if isinstance(step, Maker):
        return "make"
    return "compress" if isinstance(step, Compressor) else "export"
