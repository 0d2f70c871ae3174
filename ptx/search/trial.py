"""One trial of a search: a point of the space, run with every seed, and its result."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptx.compose.jobs import Job, compose_jobs
from ptx.compose.prepared import Frozen
from ptx.errors import ConfigError, Problem, did_you_mean
from ptx.execute.sweep import DONE, FAILED, INTERRUPTED, STOPPED, freeze_run, run_one, status_of
from ptx.files import read_json, read_rows
from ptx.hooks.host import Host
from ptx.hooks.run import Console
from ptx.plan.plan import RunPlan, SweepPlan
from ptx.plan.planner import make_plan
from ptx.records import Metric
from ptx.report import Row, load_records, make_frame
from ptx.report.gate import Finding, judge
from ptx.search.config import SearchConfig
from ptx.search.halving import HalvingConsole, Rungs, rungs_of
from ptx.search.space import text_of


@dataclass(frozen=True)
class TrialResult:
    """The result of a trial: done with a metric for each objective, or failed or stopped with a reason."""

    state: str
    reason: str = ""
    metrics: dict[str, Metric] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    runs: tuple[str, ...] = ()
    rungs: Rungs = field(default_factory=dict)

    def record(self, words: dict[str, str]) -> dict[str, Any]:
        """Return the result as plain data, for the journal and for search.json."""
        return {
            "state": self.state,
            "words": words,
            "reason": self.reason,
            "metrics": {name: dataclasses.asdict(metric) for name, metric in self.metrics.items()},
            "gate": {finding.name: finding.verdict for finding in self.findings},
            "violations": {finding.name: finding.violation for finding in self.findings},
            "runs": list(self.runs),
            "rungs": self.rungs,
        }


@dataclass
class TrialRunner:
    """Runs the trials of one search."""

    host: Host
    verb: str
    fixed: list[str]
    config: SearchConfig
    command: str
    console: Console
    config_dir: str | None = None
    _frozen: Frozen = field(default_factory=Frozen)
    _resolved: dict[str, Any] = field(default_factory=dict)
    _tried: set[str] = field(default_factory=set)  # runs that this process has executed

    def jobs(self, words: dict[str, str]) -> list[Job]:
        """Compose a point; returns one job for each seed."""
        lines = [f"{key}={value}" for key, value in words.items()]
        seeds = [f"seed={','.join(map(str, self.config.seeds))}"] if self.config.seeds else []
        jobs = compose_jobs(
            self.host,
            self.verb,
            [*self.fixed, *lines, *seeds],
            multirun=True,
            config_dir=self.config_dir,
            frozen=self._frozen,
        )
        named = [words | ({"seed": str(job.config.seed)} if seeds else {}) for job in jobs]
        return [dataclasses.replace(job, varied=varied) for job, varied in zip(jobs, named, strict=True)]

    def plan(self, jobs: Sequence[Job]) -> SweepPlan:
        """Plan the runs of some jobs, and of their baselines."""
        return make_plan(self.host, self.verb, jobs, self.command, self._resolved)

    def check(self) -> tuple[list[Job], SweepPlan]:
        """Compose and plan the corners of the space.

        Raises:
            ConfigError: with everything that is wrong at the corners.
        """
        problems: list[Problem] = []
        jobs: list[Job] = []
        for words in self.config.space.corners(max(8, min(32, self.config.trials))):
            try:
                jobs += self.jobs(words)
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)
        return jobs, self.plan(jobs)

    def run(self, plan: SweepPlan, earlier: list[Rungs], *, again: bool) -> TrialResult:
        """Execute the runs of the plan; returns the result of the trial.

        Args:
            plan: the runs of the trial, one for each seed, and their baseline.
            earlier: the rungs of the other trials, for early stopping.
            again: execute failed runs again; otherwise no run that has ended is executed again.
        """
        mine = [run for run in plan.runs if not run.baseline]
        names = {step.name for run in mine for step in run.steps if step.kind == "train"}
        ids = tuple(run.id for run in plan.runs)
        ended = TrialResult(DONE, runs=ids)
        for run in plan.runs:
            halving = self.config.early_stopping if run is mine[0] else None
            console = HalvingConsole(self.console, halving, earlier, names) if halving else self.console
            status, message = self._run_or_read(plan, run, console, again=again or run.baseline)
            if status != DONE and not run.baseline:
                where = f"seed={run.config.seed}: " if len(mine) > 1 else ""
                ended = TrialResult(
                    STOPPED if status == STOPPED else FAILED,
                    where + message,
                    runs=ids[: ids.index(run.id) + 1],
                )
                break
        rungs = self._rungs(plan.folder / mine[0].id, names)
        if ended.state != DONE:
            return dataclasses.replace(ended, rungs=rungs)
        return dataclasses.replace(self._evaluate(plan.folder, ids), rungs=rungs)

    def _run_or_read(
        self, plan: SweepPlan, run: RunPlan, console: Console, *, again: bool
    ) -> tuple[str, str]:
        """Return (status, message) of one run; it is executed if its record does not say how it ended."""
        folder = plan.folder / run.id
        final = {DONE, STOPPED} | ({FAILED} if run.id in self._tried or not again else set())
        if status_of(folder) in final:
            result = read_json(folder / "result.json")
        else:
            self._tried.add(run.id)
            console.say(f"  {run.label}")
            freeze_run(plan, run, self.host)
            result = run_one(run, folder, self.host, console)
        if result["status"] == INTERRUPTED:
            raise KeyboardInterrupt
        return result["status"], (result["error"] or {}).get("message", "")

    def _rungs(self, folder: Path, names: set[str]) -> Rungs:
        rule = self.config.early_stopping
        return rungs_of(rule, read_rows(folder / "events.jsonl"), names) if rule else {}

    def _evaluate(self, folder: Path, ids: tuple[str, ...]) -> TrialResult:
        """Return the objectives and the gate of runs that are all done, computed over the seeds."""
        frame = make_frame(load_records([folder / name for name in ids]), against=None)
        row = next(row for row in frame.rows if not row.baseline)
        findings = judge(self.config.gate, row) if self.config.gate else []
        metrics = {
            name: metric
            for name in self.config.objectives
            if (metric := row.metric(name)) and math.isfinite(metric.value)
        }
        lacking = [
            problem
            for name in self.config.objectives
            if name not in metrics and (problem := why_missing(row, name))
        ]
        if lacking:
            return TrialResult(FAILED, "; ".join(lacking), metrics, findings, ids)
        return TrialResult(DONE, "", metrics, findings, ids)


def why_missing(row: Row, name: str) -> str:
    """Return why an objective has no value."""
    known = [metric for metric, segment in row.metrics if not segment]
    if name in known:
        note = row.metrics[name, ""].note
        return f"{name} is not a number" + (f": {note}" if note else "")
    return f"no evaluator measured {name}; {did_you_mean(name, known)}"


def line_of(record: dict[str, Any]) -> str:
    """Return the result of a trial in one line."""
    if record["state"] != DONE:
        return f"{record['state']}: {record['reason']}"
    parts = [
        f"{name} {metric['value']:.4g} [{metric['low']:.4g}, {metric['high']:.4g}]"
        for name, metric in record["metrics"].items()
    ]
    missed = [f"{name} {verdict}" for name, verdict in record["gate"].items() if verdict != "holds"]
    gate = (["gate: " + (", ".join(missed) if missed else "ships")]) if record["gate"] else []
    return ", ".join([*parts, *gate])


def title_of(number: int, total: int, words: dict[str, str]) -> str:
    """Return the heading of a trial: ``trial 3 of 40: method.rate=0.1``."""
    return f"trial {number} of {total}: {text_of(words)}"
