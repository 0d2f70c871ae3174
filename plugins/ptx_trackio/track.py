"""One trackio run per ptx run."""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ptx import Run
from ptx.hooks.tracking import failed, lineage_of, summary_of

if TYPE_CHECKING:
    from ptx_trackio import Trackio


class Page:
    """An open trackio run; its own thread writes what is logged."""

    def __init__(self, run: Run, settings: Trackio) -> None:
        import trackio

        self._trackio = trackio
        with contextlib.redirect_stdout(io.StringIO()):  # it prints how to open its dashboard
            self._to = trackio.init(
                project=settings.project,
                name=f"{run.plan.sweep}/{run.plan.label or run.plan.id}",
                group=run.plan.sweep,
                space_id=settings.space,
                config={**dataclasses.asdict(run.config), "ptx": lineage_of(run)},
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )

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
        with contextlib.redirect_stdout(io.StringIO()):
            self._trackio.finish()  # of the module: else it says at the exit that the run has ended
