"""``tracker=[mlflow]``: runs, curves and metrics on MLflow, one experiment per project, one group per sweep.

Without a server the runs lie in OUT/mlflow.db. Everything is sent from a thread of its own, so a slow server
slows nothing; at the end of a run it has 30 seconds for what is left.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ptx import Choice, Problem, Run, RunConfig, Tracker, hookimpl, setting
from ptx.hooks.tracking import Tracking


@dataclass
class Mlflow(Tracker):
    """Send runs to an MLflow server, or keep them in OUT/mlflow.db for ``mlflow ui``."""

    experiment: str = setting("ptx", "experiment", identity=False)
    uri: str | None = setting(
        None,
        "where runs go, such as http://localhost:5000; default: MLFLOW_TRACKING_URI, else OUT/mlflow.db",
        identity=False,
    )


TRACKING = Tracking("mlflow", Mlflow, "ptx_mlflow.track:Page")


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``tracker=[mlflow]``."""
    return [Choice("tracker", "mlflow", Mlflow, "MLflow; in OUT/mlflow.db unless a server is named")]


@hookimpl
def ptx_validate(config: RunConfig) -> list[Problem]:
    """The library that is missing, with the line that adds it."""
    if TRACKING.settings(config) is None or find_spec("mlflow"):
        return []
    return [Problem("tracker=[mlflow] needs mlflow", "pip install 'ptx[mlflow]'")]


@hookimpl(wrapper=True)
def ptx_run(run: Run) -> Generator[None, dict[str, Any], dict[str, Any]]:
    """Track a run from its start to its end, also where it ends by an error."""
    return (yield from TRACKING.around(run))


@hookimpl
def ptx_log(run: Run, metrics: dict[str, float], step: int) -> None:
    """Log a point on the curves of the running step."""
    TRACKING.log(run, metrics, step)


@hookimpl
def ptx_reported(config: RunConfig, sweep: str, folder: Path) -> None:
    """Keep the report as artifacts of a run of its own."""
    if (settings := TRACKING.settings(config)) is not None:
        from ptx_mlflow.track import send_report

        send_report(config, settings, sweep, folder)
