"""From composed jobs to a report: plan, show, run, conclude; the second half of every verb that makes things.

It stands apart from :mod:`ptx.cli.train` because ``--cfg job`` and faulty words need none of its imports.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from ptx.cli.console import PLANNING, Terminal
from ptx.cli.human import numbers_text
from ptx.compose.jobs import Job
from ptx.config import RunConfig
from ptx.errors import counted
from ptx.execute.occupied import idle_share
from ptx.execute.sweep import Outcome, run_sweep, sweep_lock, write_step_counts
from ptx.files import read_json, write_json
from ptx.hooks.host import Host
from ptx.plan.forecast import Forecast
from ptx.plan.plan import SweepPlan, command_line


def run(
    host: Host,
    verb: str,
    jobs: Sequence[Job],
    terminal: Terminal,
    words: Sequence[str],
    options: argparse.Namespace,
) -> int:
    """Plan some jobs, and carry the plan out unless ``--dry-run`` was typed; returns the exit code."""
    with terminal:
        forecast = planned(host, verb, jobs, terminal, command_line([verb, *words]))
        if options.dry_run:
            return _show(forecast.plan, terminal)
        with sweep_lock(forecast.plan, terminal):
            outcome, idle = carried_out(forecast, jobs[0].config, terminal, options)
            return _conclude(forecast.plan, outcome, terminal, idle)


def planned(host: Host, verb: str, jobs: Sequence[Job], terminal: Terminal, command: str) -> Forecast:
    """Make the plan of some jobs, and print it with its forecast.

    Raises:
        ConfigError: with every problem; no weight was loaded.
    """
    from ptx.plan.planner import make_plan

    with terminal.waiting(PLANNING):
        plan = make_plan(host, verb, jobs, command)
    for note in plan.notes:
        terminal.say(note)
    terminal.say(describe(plan))
    forecast = Forecast(plan, host)
    for line in forecast.lines():
        terminal.say(line)
    return forecast


def _show(plan: SweepPlan, terminal: Terminal) -> int:
    """Print the runs of a plan; returns the exit code."""
    for run in plan.runs:
        chain = " → ".join([str(run.model.path.name), *(step.name for step in run.steps)])
        terminal.say(
            f"  {run.id}: {chain}; measured by {', '.join(m.name for m in run.evaluations) or 'nothing'}"
        )
    return 0


def carried_out(
    forecast: Forecast, config: RunConfig, terminal: Terminal, manner: argparse.Namespace
) -> tuple[Outcome, float | None]:
    """Execute a plan; returns how its runs have ended, and the idle share of its workers."""
    began = time.time()
    outcome = _run_plan(forecast, config, terminal, manner)
    return outcome, _idle(forecast.plan, config, began)


def _idle(plan: SweepPlan, config: RunConfig, began: float) -> float | None:
    """The idle share of this command's workers; None where it has none on this machine."""
    if not config.workers or config.cluster is not None:
        return None
    return idle_share([plan.folder / run.id for run in plan.runs], config.workers, began, time.time())


def _run_plan(
    forecast: Forecast, config: RunConfig, terminal: Terminal, options: argparse.Namespace
) -> Outcome:
    """Execute the runs in this process, in workers or on a cluster, and show the state of a sweep."""
    from ptx.cli.board import Board
    from ptx.cli.progress import EXPECTED
    from ptx.execute.cluster import run_on_cluster
    from ptx.execute.pool import run_in_workers

    plan, host = forecast.plan, forecast.host
    manner = {"fail_fast": options.fail_fast, "retry_failed": options.retry_failed or not plan.is_sweep}
    with ExitStack() as shown:
        if plan.is_sweep:
            parallel = None if config.cluster is not None else max(config.workers, 1)
            seconds = {key: found.seconds for key, found in forecast.expected.items() if found}
            write_json(plan.folder / EXPECTED, seconds)  # for those who watch: ptx ui
            board = Board(plan, parallel, retry_failed=manner["retry_failed"], expected=seconds)
            shown.enter_context(terminal.watching(board))
        if config.cluster is not None:
            return run_on_cluster(plan, host, terminal, config, **manner)
        if config.workers:
            return run_in_workers(plan, host, terminal, config.workers, threads=config.threads, **manner)
        return run_sweep(plan, host, terminal, **manner)


def _conclude(plan: SweepPlan, outcome: Outcome, terminal: Terminal, idle: float | None) -> int:
    """Print how the runs have ended, and write the report; returns the exit code."""
    if outcome.kept:
        terminal.say(f"{outcome.kept} of {len(plan.runs)} runs were done already and are kept")
    for name, message in outcome.failed:
        terminal.say(f"failed: {name}: {message}")
    for name, message in outcome.left:
        terminal.say(f"failed earlier: {name}: {message}")
    if outcome.left:
        number = (
            f"{len(outcome.left)} runs that failed earlier are"
            if len(outcome.left) > 1
            else "the run that failed earlier is"
        )
        terminal.say(f"{number} not run again; the same command with --retry-failed tries again")
    if outcome.interrupted:
        raise KeyboardInterrupt
    failed = bool(outcome.failed or outcome.left)
    if outcome.waiting:
        terminal.say(
            f"{outcome.done} runs have ended, {outcome.waiting} are on the cluster; the same command again"
            " collects their results"
        )
        return 1 if failed else 0
    counts = write_step_counts(plan, idle)
    terminal.say(
        f"steps: {counts['steps_asked']} asked for, {counts['steps_ran']} ran,"
        f" {counts['steps_shared']} shared; evaluations: {counts['evaluations_asked']} asked for,"
        f" {counts['evaluations_ran']} ran, {counts['evaluations_shared']} shared"
    )
    if idle is not None:
        terminal.say(f"workers: {idle:.0%} of their time without a run")
    for line in made_by(plan):
        terminal.say(line)
    return finish(plan, terminal, failed=failed)


def made_by(plan: SweepPlan) -> Iterator[str]:
    """A line for each dataset that the runs have made: where it is, and its numbers."""
    for folder in [plan.folder / run.id for run in plan.runs]:
        result = read_json(folder / "result.json") if (folder / "result.json").is_file() else {}
        for step in result.get("steps") or []:
            if step["kind"] == "make":
                yield f"data     {folder / step['name']}\n         {numbers_text(step['metrics'])}"


def finish(plan: SweepPlan, terminal: Terminal, *, failed: bool) -> int:
    """Write the report of a sweep, and give it to the trackers; returns the exit code."""
    from ptx.cli import report

    folder = plan.folder
    report.write([folder], folder / "report", terminal.rich)
    report.publish(plan.runs[0].config, folder, terminal.rich)
    terminal.say(f"records  {folder}")
    return 1 if failed else 0


def describe(plan: SweepPlan) -> str:
    """Describe a plan in one line: its runs, its steps, and how many of them are in the store."""
    asked = [step for run in plan.runs for step in run.steps]
    distinct = {step.key: step for step in asked}
    stored = sum(plan.store.find(step.identity) is not None for step in distinct.values())
    return (
        f"{counted(len(plan.runs), 'run')}; {counted(len(asked), 'step')} asked for,"
        f" {len(distinct)} distinct, {stored} of them in the store already"
    )
