"""``tracker=[tensorboard]``: curves, settings and metrics as TensorBoard reads them, in OUT/tensorboard.

``tensorboard --logdir ptx-out/tensorboard`` shows one run per line, in folders by sweep.
"""

from __future__ import annotations

from dataclasses import dataclass

from ptx import Choice, Tracker, hookimpl, setting
from ptx.hooks.tracking import Tracking


@dataclass
class Tensorboard(Tracker):
    """Write event files for TensorBoard."""

    folder: str | None = setting(None, "where the files go; default: OUT/tensorboard", identity=False)


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``tracker=[tensorboard]``."""
    return [Choice("tracker", "tensorboard", Tensorboard, "TensorBoard; files in OUT/tensorboard")]


TRACKING = Tracking("tensorboard", Tensorboard, "ptx_tensorboard.track", library="tensorboard")
ptx_validate, ptx_run, ptx_log, ptx_reported = TRACKING.hooks
