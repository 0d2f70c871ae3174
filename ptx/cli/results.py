"""What the Python API returns: runs, sweeps and exports as values, read from their records.

In a notebook each shows itself as a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx.errors import StepError, did_you_mean
from ptx.files import read_json
from ptx.records import Metric
from ptx.report import Frame, Record, load_records
from ptx.report.building import Findings, findings_of
from ptx.report.formats.headline import headline, table_html
from ptx.report.text.spans import words_of

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]


@dataclass(frozen=True)
class RunResult:
    """One run that has ended. It is a path, that of the model it has made: ``model=result`` goes on with it.

    ``status`` is done, failed, interrupted or unfinished; ``error`` says why a run has failed. ``made`` holds
    what steps have made beside the model: datasets and reward models. ``baseline`` is the run that measured
    the model as it was before; None where there is none.
    """

    id: str
    label: str
    status: str
    folder: Path
    model: Path | None
    metrics: dict[str, Metric] = field(repr=False)
    made: dict[str, Path]
    error: str = ""
    report: Path | None = None
    is_baseline: bool = False
    baseline: RunResult | None = field(default=None, repr=False)

    def __getitem__(self, name: str) -> Metric:
        """A metric by name."""
        if name not in self.metrics:
            raise KeyError(f"no metric {name!r}; {did_you_mean(name, list(self.metrics))}")
        return self.metrics[name]

    def __fspath__(self) -> str:
        """The folder of the model."""
        if self.model is None:
            raise StepError(f"run {self.id} has made no model: {self.error or self.status}")
        return str(self.model)

    def _repr_html_(self) -> str:
        rows = [
            [one.name, f"{one.value:.4g}", f"{one.low:.4g} to {one.high:.4g}", one.unit, str(one.n)]
            for one in self.metrics.values()
        ]
        where = f"{self.label}: {self.status}. {self.error or self.folder}"
        return table_html(["metric", "value", "95 % interval", "unit", "n"], rows, where)


@dataclass(frozen=True)
class SweepResult:
    """Runs that belong together; a sequence of :class:`RunResult`.

    ``counts`` are the steps and evaluations that were asked for, ran, or were shared; ``idle_share`` is the
    workers' share of time without a run (None without workers).
    """

    name: str
    folder: Path
    runs: tuple[RunResult, ...] = field(repr=False)
    counts: dict[str, int] = field(default_factory=dict)
    idle_share: float | None = None
    report: Path | None = None

    @property
    def failed(self) -> tuple[RunResult, ...]:
        """The runs that have failed."""
        return tuple(run for run in self.runs if run.status == "failed")

    @property
    def baseline(self) -> RunResult | None:
        """The run that measured the model as it was before."""
        return next((run for run in self.runs if run.is_baseline), None)

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[RunResult]:
        return iter(self.runs)

    def __getitem__(self, which: int | str) -> RunResult:
        """A run by its number, its id or its label."""
        if isinstance(which, int):
            return self.runs[which]
        for run in self.runs:
            if which in (run.id, run.label):
                return run
        raise KeyError(f"no run {which!r}; {did_you_mean(which, [run.label for run in self.runs])}")

    def table(self) -> DataFrame:
        """One line per run with settings and metrics as columns (:func:`ptx.load_sweep`)."""
        from ptx.report.formats.tables import load_sweep

        return load_sweep(self.folder)

    def _repr_html_(self) -> str:
        return found_html(findings_of(load_records([self.folder])), str(self.report or self.folder))


@dataclass(frozen=True)
class ReportResult:
    """The files of a report."""

    html: Path
    markdown: Path
    csv: Path
    found: Findings = field(repr=False)

    @property
    def frame(self) -> Frame:
        """The rows of the report."""
        return self.found.view.frame

    def _repr_html_(self) -> str:
        return found_html(self.found, str(self.html))


@dataclass(frozen=True)
class ExportResult:
    """A package for a runtime, and as a path its folder; ``metrics`` are its distance from the model."""

    folder: Path
    metrics: dict[str, float]
    run: RunResult

    def __fspath__(self) -> str:
        return str(self.folder)

    def _repr_html_(self) -> str:
        return table_html(
            ["measured", "value"],
            [[name, f"{value:.4g}"] for name, value in self.metrics.items()],
            str(self.folder),
        )


def found_html(found: Findings, place: str) -> str:
    """The sentence of a report, its short table, and where to read more."""
    table = headline(found.view, found.decision, found.places)
    said = f"<p>{escape(words_of(found.decision.sentence))}</p>"
    return (
        said
        + table_html(table.heads, table.rows, ". ".join(filter(None, [table.left_out, table.legend])))
        + f"<p><code>{escape(place)}</code></p>"
    )


def read_sweep(folder: Path, report: Path | None = None) -> SweepResult:
    """A sweep as its folder records it."""
    records = load_records([folder])
    sweep = read_json(folder / "sweep.json")
    baseline = next((_run(record, report, None) for record in records if record.baseline), None)
    return SweepResult(
        name=str(sweep.get("name", folder.name)),
        folder=folder,
        runs=tuple(_run(record, report, baseline) for record in records),
        counts=dict(sweep.get("books") or {}),
        idle_share=(sweep.get("workers") or {}).get("idle_share"),
        report=report,
    )


def _run(record: Record, report: Path | None, baseline: RunResult | None) -> RunResult:
    result: dict[str, Any] = record.result
    model = (result.get("model") or {}).get("path")
    made = {
        step["name"]: record.folder / step["name"]
        for step in result.get("steps") or []
        if (record.folder / step["name"]).is_symlink()
    }
    return RunResult(
        id=record.id,
        label=str(record.run.get("label") or record.id),
        status=record.status,
        folder=record.folder,
        model=Path(model) if model else None,
        metrics={metric.name: metric for _, metric in record.metrics if not metric.segment},
        made=made,
        error=str((result.get("error") or {}).get("message", "")),
        report=report,
        is_baseline=record.baseline,
        baseline=None if record.baseline else baseline,
    )
