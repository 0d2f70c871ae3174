"""``tracker=[tensorboard]``: curves, settings and metrics as TensorBoard reads them, in OUT/tensorboard.

``tensorboard --logdir ptx-out/tensorboard`` shows one run per line, in folders by sweep.
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
class Tensorboard(Tracker):
    """Write event files for TensorBoard."""

    folder: str | None = setting(None, "where the files go; default: OUT/tensorboard", identity=False)


TRACKING = Tracking("tensorboard", Tensorboard, "ptx_tensorboard.track:Page")


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``tracker=[tensorboard]``."""
    return [Choice("tracker", "tensorboard", Tensorboard, "TensorBoard; files in OUT/tensorboard")]


@hookimpl
def ptx_validate(config: RunConfig) -> list[Problem]:
    """The library that is missing, with the line that adds it."""
    if TRACKING.settings(config) is None or find_spec("tensorboard"):
        return []
    return [Problem("tracker=[tensorboard] needs tensorboard", "pip install 'ptx[tensorboard]'")]


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
    """Write the table of runs as text beside them."""
    if (settings := TRACKING.settings(config)) is not None:
        from ptx_tensorboard.track import send_report

        send_report(config, settings, sweep, folder)
