"""The steps and measurements of one run, each with its key; the input of a step is the step before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptx import machine
from ptx.config import Compressor, Method, RunConfig
from ptx.data import DataSet
from ptx.hooks.host import Host
from ptx.plan.keys import Ingredients
from ptx.plan.model_inputs import Further
from ptx.plan.plan import Step, Work
from ptx.records import ModelRef
from ptx.store.store import Identity


def work_of(
    host: Host,
    config: RunConfig,
    model: ModelRef,
    feeds: Mapping[str, DataSet] | None = None,
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
    artifact: dict[str, Any] = {"model": model.digest}
    steps: dict[str, Step] = {}
    for name, step in (config.chain() | exports).items():
        fed, beside = (feeds or {}).get(name), (further or {}).get(name, {})
        found = ingredients.of_step(kind_of(step), step, name, artifact, fed)
        if beside:
            found["models"] = {
                role: {"step": steps[there].key} if isinstance(there, str) else {"model": there.digest}
                for role, there in beside.items()
            }
        steps[name] = Step(
            kind_of(step),
            name if config.recipe or name in config.compress else host.choice_of(step).name,
            step,
            fed,
            Identity("steps", found),
            {role: steps[there].name if isinstance(there, str) else there for role, there in beside.items()},
        )
        artifact = {"step": steps[name].key}
    exported = ingredients.baseline_runtime.exports and not is_package
    reference = ingredients.reference(model) if exported else None
    baseline = reference.key if reference else model.digest
    measures = tuple(ingredients.measure(name, artifact, baseline) for name in config.eval)
    return Work(tuple(steps.values()), measures, reference, ingredients.device)


def kind_of(step: Any) -> str:
    """The kind of a step: ``train``, ``compress`` or ``export``; a compressor that trains has ``train``."""
    if isinstance(step, Method):
        return "train"
    return "compress" if isinstance(step, Compressor) else "export"
