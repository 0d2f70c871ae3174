"""``tracker=[trackio]``: runs, curves and metrics for trackio's dashboard, on this machine.

``trackio show --project ptx`` opens it. What was logged since trackio's last write is lost when a process is
killed; the run's folder has all of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ptx import Choice, Tracker, hookimpl, setting
from ptx.hooks.tracking import Tracking


@dataclass
class Trackio(Tracker):
    """Keep runs for trackio's dashboard."""

    project: str = setting("ptx", "project", identity=False)
    space: str | None = setting(
        None, "a Space of the hub that shows the runs, such as me/runs; default: this machine", identity=False
    )


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``tracker=[trackio]``."""
    return [Choice("tracker", "trackio", Trackio, "trackio; on this machine unless a Space is named")]


TRACKING = Tracking("trackio", Trackio, "ptx_trackio.track", library="trackio")
ptx_validate, ptx_run, ptx_log, ptx_reported = TRACKING.hooks
