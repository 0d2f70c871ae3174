"""What every tracker does: it opens a page for a run, sends curves and the result, and never stops the run.

A plugin gives a :class:`Sink`, and its hooks call :class:`Tracking`::

    TRACKING = Tracking("mine", Mine, "my_plugin.track:Page")

    @hookimpl(wrapper=True)
    def ptx_run(run):
        return (yield from TRACKING.around(run))

    @hookimpl
    def ptx_log(run, metrics, step):
        TRACKING.log(run, metrics, step)

The run folder is the record; what a service has not written when a process is killed is only there. This
module is part of the public API.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from ptx.config import RunConfig, Tracker
from ptx.hooks.run import Run


class Sink(Protocol):
    """The page of one run; made by ``opener(run, settings)``."""

    def log(self, label: str, metrics: Mapping[str, float], step: int) -> None:
        """Add a point to the curves of the step ``label``, whose steps count from 0."""

    def finish(self, result: Mapping[str, Any] | None) -> None:
        """Write the result and close; ``result`` is None where the run ended by an exception."""


class Tracking:
    """The open pages of one tracker, by run, in this process.

    ``opener`` is ``module:callable``; it is imported when a run uses the tracker, and takes the run and the
    settings.
    """

    def __init__(self, name: str, kind: type[Tracker], opener: str) -> None:
        self.name, self.kind, self._opener = name, kind, opener
        self._open: dict[Path, Sink] = {}

    def settings(self, config: RunConfig) -> Any:
        """The tracker's settings; None where the run does not use it."""
        return next((one for one in config.tracker.values() if isinstance(one, self.kind)), None)

    def around(self, run: Run) -> Generator[None, dict[str, Any], dict[str, Any]]:
        """Track a run from its start to its end, also where it ends by an error; the body of ``ptx_run``."""
        settings = self.settings(run.config)
        if settings is None:
            return (yield)
        self._start(run, settings)
        try:
            result = yield
        except BaseException:
            self._finish(run, None)
            raise
        self._finish(run, result)
        return result

    def log(self, run: Run, metrics: Mapping[str, float], step: int) -> None:
        """Add a point; the body of ``ptx_log``. Nothing happens in processes that did not open the page."""
        if (sink := self._open.get(run.record)) is not None:
            sink.log(run.label or "run", metrics, step)

    def _start(self, run: Run, settings: Any) -> None:
        module, _, name = self._opener.partition(":")
        try:
            self._open[run.record] = getattr(import_module(module), name)(run, settings)
        except Exception as error:  # noqa: BLE001 (a tracker may fail in any way and must not stop a run)
            run.say(f"{self.name} could not start, the run continues without it: {_line(error)}")

    def _finish(self, run: Run, result: Mapping[str, Any] | None) -> None:
        sink = self._open.pop(run.record, None)
        if sink is None:
            return
        try:
            sink.finish(result)
        except Exception as error:  # noqa: BLE001 (a tracker may fail in any way and must not stop a run)
            run.say(f"{self.name} could not finish: {_line(error)}")


def failed(result: Mapping[str, Any] | None) -> bool:
    """Whether a run has ended otherwise than done."""
    return result is None or result.get("status", "done") != "done"


def lineage_of(run: Run) -> dict[str, Any]:
    """The run, its sweep, its folder, and every step with its key in the store."""
    steps = [{"name": step.name, "kind": step.kind, "key": step.key} for step in run.plan.steps]
    return {
        "run": run.plan.id,
        "sweep": run.plan.sweep,
        "record": str(run.record),
        "device": run.device,
        "steps": steps,
    }


def flat_settings(config: RunConfig) -> dict[str, Any]:
    """Every setting as one flat dictionary: ``method.beta`` -> 0.1."""
    found: dict[str, Any] = {}

    def add(name: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, one in value.items():
                add(f"{name}.{key}" if name else str(key), one)
        elif value is not None and value not in ({}, []):
            found[name] = value

    add("", dataclasses.asdict(config))
    return found


def summary_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a result as one flat dictionary: ``bench/acc`` with ``/low``, ``/high`` and ``/n``."""
    summary: dict[str, Any] = {}
    if model := result.get("model"):
        summary |= {f"model/{name}": model.get(name) for name in ("digest", "bytes", "runtime")}
    for step in result.get("steps", ()):
        summary |= {
            f"steps/{step['name']}/{name}": step.get(name) for name in ("key", "shared", "seconds", "bytes")
        }
    for metric in result.get("metrics", ()):
        name = metric_name(metric)
        summary[name] = metric["value"]
        summary |= {f"{name}/{bound}": metric[bound] for bound in ("low", "high", "n")}
    return {name: value for name, value in summary.items() if value is not None}


def metric_name(metric: Mapping[str, Any]) -> str:
    """``evaluator/name``, and the segment behind it."""
    name = f"{metric['evaluator']}/{metric['name']}"
    return f"{name}/{metric['segment']}" if metric.get("segment") else name


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
