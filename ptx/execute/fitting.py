"""A step as it fits into the memory that there is, and once more with less where that was full.

``fitted`` asks the configuration of a step before it starts (``method.micro_batch=auto``). When memory is
full all the same, the step has written what it has done to its checkpoints; it starts again from there with
a configuration that needs less. That is the way in which a killed step goes on, so every step that can be
resumed can do it.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

from ptx import machine
from ptx.errors import MemoryFullError
from ptx.files import read_rows
from ptx.hooks.run import Run
from ptx.models.memory import Workload
from ptx.plan.workload import workload_of
from ptx.records import ModelRef

EVENT = "fitted"


def with_what_fits(
    run: Run, config: Any, model: ModelRef, data: Any, start: Callable[[Any], ModelRef]
) -> ModelRef:
    """Run a step by ``start``, which gets its configuration, as often as a smaller one is left."""
    work = workload_of(config, model, data, run.device, run.models)
    fitted = config if work is None else fitted_to_memory(run, config, work)
    machine.forget_peak()
    while True:
        try:
            made = start(fitted)
            _note_peak(run, fitted, work)
            return made
        except MemoryFullError as error:
            smaller = fitted.smaller()
            if smaller is None:
                raise
            said = str(error)  # the error itself holds the frames, and with them the model
        fitted = smaller
        changed = _changed(config, fitted)
        words = ", ".join(f"{name}={value}" for name, value in changed.items())
        run.say(f"{said}; going on from the last step with {words}, and the same batch_size")
        run.event(EVENT, changed=changed)
        machine.release_memory()


def fitted_to_memory(run: Run, config: Any, work: Workload) -> Any:
    """The configuration of a step with what follows from free memory; as before where the step was killed."""
    fitted = config.fitted(work, machine.free_bytes(run.device), int(os.environ.get("WORLD_SIZE", "1")))
    most = _before(run)
    while any(value > most.get(name, value) for name, value in _changed(config, fitted).items()):
        less = fitted.smaller()
        if less is None:
            break
        fitted = less
    if changed := _changed(config, fitted):
        run.event(EVENT, changed=changed)
    return fitted


def _note_peak(run: Run, fitted: Any, work: Workload | None) -> None:
    """Record the largest memory of the step in this process, beside its forecast."""
    expected = fitted.memory(work) if work is not None else None
    if expected is not None:
        run.event("memory", peak=machine.own_peak(run.device), forecast=round(expected.total))


def _before(run: Run) -> dict[str, Any]:
    """What an earlier attempt at this step came to."""
    found: dict[str, Any] = {}
    for event in read_rows(run.events):
        found = event["changed"] if event.get("event") == EVENT else found
    return found


def _changed(config: Any, fitted: Any) -> dict[str, Any]:
    """The numbers among the settings that follow from memory."""
    fields = dataclasses.fields(config)
    pairs = ((field.name, getattr(config, field.name), getattr(fitted, field.name)) for field in fields)
    return {name: now for name, given, now in pairs if now != given and isinstance(now, int)}
