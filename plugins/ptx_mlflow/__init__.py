"""``tracker=[mlflow]``: runs, curves and metrics on MLflow, one experiment per project, one group per sweep.

Without a server the runs lie in OUT/mlflow.db. Everything is sent from a thread of its own, so a slow server
slows nothing; at the end of a run it has 30 seconds for what is left. The database is waited for longer while
it is made, once.
"""

from __future__ import annotations

from dataclasses import dataclass

from ptx import Choice, Tracker, hookimpl, setting
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


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``tracker=[mlflow]``."""
    return [Choice("tracker", "mlflow", Mlflow, "MLflow; in OUT/mlflow.db unless a server is named")]


TRACKING = Tracking("mlflow", Mlflow, "ptx_mlflow.track", library="mlflow")
ptx_validate, ptx_run, ptx_log, ptx_reported = TRACKING.hooks
