"""One wandb run per ptx run, and one for the report of a sweep.

The curves of every step have their own axis (``sft/step``), because all steps of a recipe count from 0 and
wandb's global counter only increases. Metrics go into the summary as ``bench/accuracy`` with ``.../low``,
``.../high`` and ``.../n`` beside it, so that runs can be compared by plain numbers. The configuration holds
the lineage: every step with its key in the store.
"""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx import Run, RunConfig
from ptx.hooks.tracking import failed, lineage_of, summary_of

if TYPE_CHECKING:
    from wandb import Run as WandbRun

    from ptx_wandb import Wandb

TABLE_ROWS = 500  # a larger table is not sent; the results of all examples are in the run's folder
START_SECONDS = 30.0
LONGEST_NAME = 128  # characters that wandb's server accepts
METRICS = ["evaluator", "name", "segment", "value", "low", "high", "n", "unit", "better"]


class Page:
    """An open wandb run."""

    def __init__(self, run: Run, settings: Wandb) -> None:
        plan = run.plan
        about = {
            "name": (plan.label or plan.id)[:LONGEST_NAME],
            "job_type": plan.verb,
            "config": {**dataclasses.asdict(run.config), "ptx": lineage_of(run)},
        }
        self.to = opened(run.config, settings, plan.sweep, about, run.say)
        self._curves: set[str] = set()  # the steps whose axis is defined already

    def log(self, label: str, metrics: Mapping[str, float], step: int) -> None:
        """Add a point to the curves of a step."""
        if label not in self._curves:
            self.to.define_metric(f"{label}/*", step_metric=f"{label}/step")
            self._curves.add(label)
        self.to.log({f"{label}/step": step, **{f"{label}/{name}": value for name, value in metrics.items()}})

    def finish(self, result: Mapping[str, Any] | None) -> None:
        """Write the summary and the table of metrics, and close."""
        if result is not None:
            self.to.summary.update(summary_of(result))
            metrics = result.get("metrics", ())
            _log_table(self.to, "metrics", METRICS, [[one.get(name) for name in METRICS] for one in metrics])
        self.to.finish(exit_code=int(failed(result)))


def send_report(config: RunConfig, settings: Wandb, sweep: str, folder: Path) -> None:
    """A run of its own in the group of the sweep: the table of runs, the pictures, the page."""
    import wandb

    about = {"name": "report", "job_type": "report", "config": {"sweep": sweep}}
    to = opened(config, settings, sweep, about, lambda _: None)
    with (folder / "report.csv").open(newline="", encoding="utf-8") as file:
        heads, *rows = csv.reader(file)
    _log_table(to, "runs", heads, rows)
    if pictures := sorted(folder.rglob("*.svg")):  # wandb.Image takes no vector graphics
        drawn = {one.stem: one.read_text(encoding="utf-8") for one in pictures}
        to.log({f"report/{name}": wandb.Html(picture, inject=False) for name, picture in drawn.items()})
    artifact = wandb.Artifact(f"report-{sweep}"[:LONGEST_NAME], type="report")
    for file_ in (folder / "report.html", folder / "report.md", folder / "report.csv"):
        artifact.add_file(str(file_))
    to.log_artifact(artifact)
    to.finish()


def opened(
    config: RunConfig, settings: Wandb, sweep: str, about: dict[str, Any], say: Callable[[str], None]
) -> WandbRun:
    """A wandb run in the group of the sweep; offline where the service cannot be reached."""
    mode = mode_of(settings.mode)
    try:
        return _init(config, settings, sweep, about, mode)
    except Exception as error:
        if settings.mode != "auto" or mode == "offline":
            raise
        line = f"{type(error).__name__}: {error}".splitlines()[0]
        say(f"wandb cannot be reached ({line}); tracking offline")
        return _init(config, settings, sweep, about, "offline")


def mode_of(mode: str) -> str:
    """The mode; ``auto`` is WANDB_MODE if that is set, else online for a logged-in user, else offline."""
    if mode != "auto":
        return mode
    if from_environment := os.environ.get("WANDB_MODE"):
        return from_environment
    import wandb

    return "online" if wandb.login(prompt=False, verify=False) else "offline"


def _init(config: RunConfig, settings: Wandb, sweep: str, about: dict[str, Any], mode: str) -> WandbRun:
    import wandb

    folder = Path(config.out)
    folder.mkdir(parents=True, exist_ok=True)
    return wandb.init(
        project=settings.project,
        entity=settings.entity,
        group=sweep[:LONGEST_NAME],
        tags=settings.tags or None,
        dir=str(folder),
        mode=mode,  # type: ignore[arg-type]
        reinit="create_new",
        settings=wandb.Settings(
            silent=True, console="off", disable_git=True, disable_code=True, init_timeout=START_SECONDS
        ),
        **about,
    )


def _log_table(to: WandbRun, name: str, columns: list[str], rows: list[list[Any]]) -> None:
    import wandb

    if 0 < len(rows) <= TABLE_ROWS:
        to.log({name: wandb.Table(columns=columns, data=rows)})
