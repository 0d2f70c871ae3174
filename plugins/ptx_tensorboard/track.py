"""One folder of event files per ptx run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx import Run, RunConfig
from ptx.hooks.tracking import flat_settings, lineage_of, metric_name

if TYPE_CHECKING:
    from ptx_tensorboard import Tensorboard

BEHIND = 20  # points that may wait for the writer
SECONDS = 10  # between two writes


class Page:
    """The event files of a run."""

    def __init__(self, run: Run, settings: Tensorboard) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._settings = flat_settings(run.config)
        place = folder_of(run.config, settings) / run.plan.sweep / run.plan.id
        self._to = SummaryWriter(str(place), max_queue=BEHIND, flush_secs=SECONDS)
        for name, value in lineage_of(run).items():
            self._to.add_text(f"ptx/{name}", _code(value))

    def log(self, label: str, metrics: Mapping[str, float], step: int) -> None:
        """Add a point to the curves of a step."""
        for name, value in metrics.items():
            self._to.add_scalar(f"{label}/{name}", value, step)

    def finish(self, result: Mapping[str, Any] | None) -> None:
        """Write the metrics with their intervals, and the settings beside them (the page HPARAMS)."""
        from torch.utils.tensorboard.summary import hparams

        metrics = list((result or {}).get("metrics", ()))
        for metric in metrics:
            self._to.add_scalar(metric_name(metric), metric["value"], 0)
        if metrics:
            self._to.add_text("metrics", table_of(metrics))
        numbers = {metric_name(one): one["value"] for one in metrics if math.isfinite(one["value"])}
        plain = {
            name: value if isinstance(value, bool | int | float | str) else str(value)
            for name, value in self._settings.items()
        }
        for summary in hparams(plain, numbers):
            self._to.file_writer.add_summary(summary)  # type: ignore[union-attr]
        self._to.close()


def send_report(config: RunConfig, settings: Tensorboard, sweep: str, folder: Path) -> None:
    """The report's Markdown as a text of the sweep."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder_of(config, settings) / sweep)) as to:
        to.add_text("report", (folder / "report.md").read_text(encoding="utf-8"))


def folder_of(config: RunConfig, settings: Tensorboard) -> Path:
    """Where the files of all sweeps go."""
    return Path(settings.folder).expanduser() if settings.folder else Path(config.out) / "tensorboard"


def table_of(metrics: list[Mapping[str, Any]]) -> str:
    """The metrics as a Markdown table."""
    rows = [
        f"| {metric_name(one)} | {one['value']:.4g} | {one['low']:.4g} | {one['high']:.4g} | {one['n']} |"
        for one in metrics
    ]
    return "\n".join(["| metric | value | low | high | n |", "| --- | --- | --- | --- | --- |", *rows])


def _code(value: Any) -> str:
    return f"    {value}"
