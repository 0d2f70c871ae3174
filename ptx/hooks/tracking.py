"""What every tracker does: it opens a page for a run, sends curves and the result, and never stops the run.

A plugin gives a :class:`Sink`, and takes its hooks from :class:`Tracking`::

    TRACKING = Tracking("mine", Mine, Page)
    ptx_validate, ptx_run, ptx_log, ptx_reported = TRACKING.hooks

The run folder is the record; what a service has not written when a process is killed is only there. This
module is part of the public API.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from ptx.config import RunConfig, Tracker
from ptx.errors import Problem
from ptx.hooks.hookspecs import hookimpl
from ptx.hooks.run import Run


class Sink(Protocol):
    """The page of one run; it is made by ``Page(run, settings)``."""

    def log(self, label: str, metrics: Mapping[str, float], step: int) -> None:
        """Add a point to the curves of the step ``label``, whose steps count from 0."""

    def finish(self, result: Mapping[str, Any] | None) -> None:
        """Write the result and close; ``result`` is None where the run ended by an exception."""


class Tracking:
    """The open pages of one tracker, by run, in this process.

    ``page`` makes a :class:`Sink`: the class itself, or the name of a module with ``Page`` that is imported
    when a run uses the tracker. The class or the module may have ``send_report(config, settings, sweep,
    folder)``. ``library`` is what it needs; the extra that adds it has this ``name``.
    """

    def __init__(
        self, name: str, kind: type[Tracker], page: str | Callable[[Run, Any], Sink], library: str = ""
    ) -> None:
        self.name, self.kind = name, kind
        self._page, self._library = page, library
        self._open: dict[Path, Sink] = {}

    @property
    def hooks(self) -> tuple[Any, Any, Any, Any]:
        """``ptx_validate``, ``ptx_run``, ``ptx_log`` and ``ptx_reported``."""
        return self._validate, self._run, self._log, self._reported

    def settings(self, config: RunConfig) -> Any:
        """The tracker's settings; None where the run does not use it."""
        return next((one for one in config.tracker.values() if isinstance(one, self.kind)), None)

    @hookimpl
    def _validate(self, config: RunConfig) -> list[Problem]:
        """The library that is missing, with the line that adds it."""
        if self.settings(config) is None or not self._library or find_spec(self._library):
            return []
        return [Problem(f"tracker=[{self.name}] needs {self._library}", f"pip install 'ptx[{self.name}]'")]

    @hookimpl(wrapper=True)
    def _run(self, run: Run) -> Generator[None, dict[str, Any], dict[str, Any]]:
        """Track a run from its start to its end, also where it ends by an error."""
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

    @hookimpl
    def _log(self, run: Run, metrics: dict[str, float], step: int) -> None:
        """Add a point to the curves; nothing happens in processes that did not open the page."""
        if (sink := self._open.get(run.record)) is not None:
            sink.log(run.label or "run", metrics, step)

    @hookimpl
    def _reported(self, config: RunConfig, sweep: str, folder: Path) -> None:
        """Send the report of a sweep, where the tracker takes one."""
        if (settings := self.settings(config)) is not None:
            home = import_module(self._page) if isinstance(self._page, str) else self._page
            send = getattr(home, "send_report", None)
            if send is not None:
                send(config, settings, sweep, folder)

    def _start(self, run: Run, settings: Any) -> None:
        try:
            page = import_module(self._page).Page if isinstance(self._page, str) else self._page
            self._open[run.record] = page(run, settings)
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
    """The name that a report gives to the metric, such as ``bench/mean``, and the segment behind it."""
    own = str(metric["name"])
    name = own if "/" in own else f"{metric['evaluator']}/{own}"
    return f"{name}/{metric['segment']}" if metric.get("segment") else name


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
