"""``tracker=[trackio]``: runs, curves and metrics for trackio's dashboard, on this machine.

``trackio show --project ptx`` opens it. What was logged since trackio's last write is lost when a process is
killed; the run's folder has all of it.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from ptx import Choice, Problem, Run, RunConfig, Tracker, hookimpl, setting
from ptx.hooks.tracking import Tracking


@dataclass
class Trackio(Tracker):
    """Keep runs for trackio's dashboard."""

    project: str = setting("ptx", "project", identity=False)
    space: str | None = setting(
        None, "a Space of the hub that shows the runs, such as me/runs; default: this machine", identity=False
    )


TRACKING = Tracking("trackio", Trackio, "ptx_trackio.track:Page")


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``tracker=[trackio]``."""
    return [Choice("tracker", "trackio", Trackio, "trackio; on this machine unless a Space is named")]


@hookimpl
def ptx_validate(config: RunConfig) -> list[Problem]:
    """The library that is missing, with the line that adds it."""
    if TRACKING.settings(config) is None or find_spec("trackio"):
        return []
    return [Problem("tracker=[trackio] needs trackio", "pip install 'ptx[trackio]'")]


@hookimpl(wrapper=True)
def ptx_run(run: Run) -> Generator[None, dict[str, Any], dict[str, Any]]:
    """Track a run from its start to its end, also where it ends by an error."""
    return (yield from TRACKING.around(run))


@hookimpl
def ptx_log(run: Run, metrics: dict[str, float], step: int) -> None:
    """Log a point on the curves of the running step."""
    TRACKING.log(run, metrics, step)
