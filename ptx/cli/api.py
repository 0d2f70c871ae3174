"""The Python API: the verbs of the command line as functions with typed results.

A setting is a keyword, with two underscores for a dot: ``ptx.train(method="dpo", method__beta=0.2)``. Words
of the command line may stand before them. What is wrong is raised as :class:`ptx.ConfigError`, with all
problems; a single run that fails raises :class:`ptx.StepError`, and a sweep returns with its failed runs.
Nothing ends the process.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ptx.cli import ENVIRONMENT, export, running, train
from ptx.cli.console import Terminal
from ptx.cli.keywords import Each, words_of
from ptx.cli.notebook import Quiet, display_for
from ptx.cli.results import ExportResult, ReportResult, RunResult, SweepResult, read_sweep
from ptx.compose.jobs import compose_jobs
from ptx.errors import ConfigError, Problem, StepError
from ptx.execute.sweep import Outcome, sweep_lock, write_step_counts
from ptx.guard.scratch import own_temporary_folder
from ptx.guard.secrets import masked_output
from ptx.hooks.host import get_host
from ptx.plan.plan import SweepPlan, command_line


def single(verb: str, words: Sequence[str], settings: dict[str, Any], *, quiet: bool = False) -> RunResult:
    """Execute one run.

    Raises:
        ConfigError: with every problem, before a weight is loaded.
        StepError: the run has failed; its record says where.
    """
    if several := [name for name, value in settings.items() if isinstance(value, Each | range)]:
        raise ConfigError(
            [Problem(f"{name} has several values", "run them all with ptx.sweep") for name in several]
        )
    found = run_jobs(verb, words_of(words, settings), quiet=quiet)
    run = next(run for run in found.runs if not run.is_baseline)
    if run.status != "done":
        raise StepError(f"{run.error or run.status} ({run.folder})")
    return run


def sweep(words: Sequence[Any], settings: dict[str, Any], *, verb: str, quiet: bool = False) -> SweepResult:
    """Execute every combination of the values, or the sweep or search of a YAML file.

    Raises:
        ConfigError: with every problem, before a weight is loaded.
    """
    from ptx.cli import sweep as sweep_file

    if not (words and is_file(words[0])):
        return run_jobs(verb, words_of(words, settings), multirun=True, quiet=quiet)
    file = Path(words[0])
    study = sweep_file.read(file)
    more = words_of(words[1:], settings)
    if "search" in study:
        raise ConfigError(
            Problem(f"{file} describes a search, which has no function here", f"run `ptx sweep {file}`")
        )
    beside = file.parent / study["config_dir"] if study.get("config_dir") else None
    named = [f"name='{study['name']}'", *study["overrides"], *more]
    return run_jobs(study["verb"], named, multirun=True, quiet=quiet, config_dir=beside)


def is_file(word: Any) -> bool:
    """Whether the first argument of a sweep is a file and not a word."""
    return isinstance(word, os.PathLike) or (isinstance(word, str) and "=" not in word)


def run_jobs(
    verb: str,
    words: list[str],
    *,
    multirun: bool = False,
    quiet: bool = False,
    config_dir: Path | None = None,
) -> SweepResult:
    """Compose, plan, execute and report, as the command line does."""
    from ptx.execute.cluster import check_cluster

    host = get_host()
    with surroundings(quiet=quiet) as terminal:
        place = None if config_dir is None else str(config_dir)
        jobs = compose_jobs(host, verb, words, multirun=multirun, config_dir=place)
        train.check_recipe(verb, jobs)
        check_cluster(jobs)
        train.set_threads(jobs[0].config.threads)
        line = command_line([verb, *(["-m"] if multirun else []), *words])
        forecast = running.planned(host, verb, jobs, terminal, line)
        manner = argparse.Namespace(fail_fast=False, retry_failed=True)
        with sweep_lock(forecast.plan, terminal):
            outcome, idle = running.carried_out(forecast, jobs[0].config, terminal, manner)
            return _ended(forecast.plan, outcome, idle)


def _ended(plan: SweepPlan, outcome: Outcome, idle: float | None) -> SweepResult:
    """Write the report of a sweep, unless runs are still on a cluster; returns the sweep."""
    from ptx.cli import report

    if outcome.interrupted:
        raise KeyboardInterrupt
    if outcome.waiting:
        return read_sweep(plan.folder)
    write_step_counts(plan, idle)
    written = report.write([plan.folder], plan.folder / "report", Quiet().rich)
    report.publish(plan.runs[0].config, plan.folder, Quiet().rich)
    return read_sweep(plan.folder, written.html)


def export_model(
    words: Sequence[str], settings: dict[str, Any], *, to: Path | str | None, quiet: bool
) -> ExportResult:
    """Convert a model to a runtime's format.

    Raises:
        ConfigError: with every problem, before a weight is loaded.
        StepError: the export has failed.
    """
    host = get_host()
    typed = words_of(words, settings)
    with surroundings(quiet=quiet) as terminal:
        jobs = compose_jobs(host, "export", typed)
        target = Path(to or export.default_name(host, jobs[0]))
        run = export.carried_out(host, jobs, target, terminal, command_line(["export", *typed]))
    found = read_sweep(run.parent)[run.name]
    if found.status != "done":
        raise StepError(f"{found.error or found.status} ({found.folder})")
    return ExportResult(target, export.distance(run), found)


def report_of(
    sweeps: Sequence[Any],
    *,
    to: Path | str | None,
    out: Path,
    against: str,
    title: str | None,
    gate: Any = None,
    definition: Any = None,
) -> ReportResult:
    """Write the report of sweeps or runs, which are given as results, by folder, or by name below OUT/runs.

    Raises:
        ConfigError: there is no such sweep or run.
    """
    from ptx.cli import report
    from ptx.report.definition import load_definition
    from ptx.report.gate_reader import load_gate

    if not sweeps:
        raise ConfigError(Problem("ptx.report needs a sweep or run", "give its folder, name or result"))
    results = (RunResult, SweepResult)
    folders = [one.folder if isinstance(one, results) else report.find(out, str(one)) for one in sweeps]
    place = Path(to) if to else folders[0] / "report"
    made = report.write(
        folders,
        place,
        Quiet().rich,
        title=title,
        against=against,
        gate=load_gate(get_host(), gate) if gate else None,
        definition=load_definition(get_host(), definition) if definition else None,
    )
    return ReportResult(made.html, made.markdown, made.csv, made.found)


@contextmanager
def surroundings(*, quiet: bool) -> Iterator[Terminal]:
    """What a command has around it: no telemetry, masked secrets, its own temporary folder, a display."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with masked_output(), own_temporary_folder(), display_for(quiet=quiet) as terminal:
        yield terminal
