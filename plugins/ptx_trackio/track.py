"""One trackio run per ptx run, and one for the report of a sweep."""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx import Run, RunConfig
from ptx.hooks.tracking import failed, lineage_of, summary_of

if TYPE_CHECKING:
    from trackio import Run as TrackioRun

    from ptx_trackio import Trackio

LONGEST_NAME = 128


class Page:
    """An open trackio run; its own thread writes what is logged."""

    def __init__(self, run: Run, settings: Trackio) -> None:
        config = {**dataclasses.asdict(run.config), "ptx": lineage_of(run)}
        self._to = opened(settings, run.plan.sweep, run.plan.label or run.plan.id, config)

    def log(self, label: str, metrics: Mapping[str, float], step: int) -> None:
        """Add a point; every step has an axis of its own, since all count from 0."""
        named = {f"{label}/{name}": value for name, value in metrics.items()}
        self._to.log({**named, f"{label}/step": step})

    def finish(self, result: Mapping[str, Any] | None) -> None:
        """Write the metrics with their intervals, and close."""
        numbers = {
            name: one for name, one in summary_of(result or {}).items() if isinstance(one, int | float)
        }
        self._to.log({**numbers, "ptx/failed": int(failed(result))})
        _close()


def send_report(_config: RunConfig, settings: Trackio, sweep: str, folder: Path) -> None:
    """A run of its own in the group of the sweep, with the files of the report as an artifact."""
    import trackio

    to = opened(settings, sweep, "report", {"sweep": sweep})
    artifact = trackio.Artifact(f"report-{sweep}"[:LONGEST_NAME], type="report")
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        artifact.add_file(str(file))
    with contextlib.redirect_stdout(io.StringIO()):
        to.log_artifact(artifact)
    _close()


def opened(settings: Trackio, sweep: str, name: str, config: dict[str, Any]) -> TrackioRun:
    """A trackio run in the group of the sweep."""
    import trackio

    with contextlib.redirect_stdout(io.StringIO()):  # it prints how to open its dashboard
        return trackio.init(
            project=settings.project,
            name=f"{sweep}/{name}",
            group=sweep,
            space_id=settings.space,
            config=config,
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )


def _close() -> None:
    import trackio

    with contextlib.redirect_stdout(io.StringIO()):
        trackio.finish()  # of the module: else it says at the exit that the run has ended
