"""``tracker=[wandb]``: runs, curves and metrics on Weights & Biases, one group per sweep.

The tracker only observes: the run folder is the record. A tracker that fails is reported in the run's output
and has no other effect. A crash may lose what wandb had not written yet (after kill -9, the last lines are
lost); ptx's own events.jsonl keeps all lines.
"""

from __future__ import annotations

from dataclasses import dataclass

from ptx import Choice, Tracker, hookimpl, must_be_one_of, setting
from ptx.hooks.tracking import Tracking

MODES = ("auto", "online", "offline", "disabled")


@dataclass
class Wandb(Tracker):
    """Send runs to Weights & Biases, or keep them on disk for ``wandb sync``."""

    project: str = setting("ptx", "project", identity=False)
    entity: str | None = setting(None, "user or team; default: the account's own", identity=False)
    mode: str = setting(
        "auto", "auto: online when logged in, else offline; or online, offline, disabled", identity=False
    )
    tags: list[str] = setting([], "tags of every run", identity=False)

    def __post_init__(self) -> None:
        must_be_one_of("tracker.wandb.mode", self.mode, MODES, "offline")


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``tracker=[wandb]``."""
    return [Choice("tracker", "wandb", Wandb, "Weights & Biases; offline unless you are logged in")]


TRACKING = Tracking("wandb", Wandb, "ptx_wandb.track")
ptx_validate, ptx_run, ptx_log, ptx_reported = TRACKING.hooks
